//! Writes the first inputs of every target to `corpus/`.

use std::path::Path;
use std::{fs, io};

use surprisal_fuzz::seeds::{TARGETS, of};

fn main() -> io::Result<()> {
    for target in TARGETS.into_iter().chain(cfg!(feature = "parquet").then_some("parquet")) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        for (at, input) in of(target).iter().enumerate() {
            fs::write(folder.join(format!("seed-{at:03}")), input)?;
        }
    }
    Ok(())
}
