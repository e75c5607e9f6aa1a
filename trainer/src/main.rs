//! The `surprisal` command.

fn main() -> std::process::ExitCode {
    surprisal_trainer::cli::main()
}
