//! Hidden layers, forests and mixtures through the command: promises, settings, and a search that is interrupted.

use rand::RngExt;

use crate::budget;
use crate::data::{Folder, flags, mixed, number, random};

/// Small layers, quickly fitted.
const LAYER: &str = "--order natural --units 4 --epochs 5 --restarts 1 --activation relu --dropout 0 --weight-decay 0 --learning-rate 0.02";

/// Rows of flags that hang on the parity of those before them, more or less.
const JOURNAL: &str = "model.srp.surprisal-search";
const HEADER: &str = "surprisal search journal 1\n";
/// A layer without units, after the checksum of its text.
const OTHER_LAYER: &str =
    "90fef7b3 {\"key\":\"0 other\",\"valid_ll\":-0.5,\"of_bits\":[0.0],\"biases\":[],\"inputs\":[],\"outputs\":[]}\n";

fn with_flags() -> Folder {
    let mut random = random(3);
    let mut draw = || {
        let mut row = vec![false; 8];
        for i in 0..8 {
            let odd = row[..i].iter().filter(|&&bit| bit).count() % 2 == 1;
            row[i] = random.random_bool(if odd { 0.8 } else { 0.3 });
        }
        row
    };
    let rows: Vec<Vec<bool>> = (0..600).map(|_| draw()).collect();
    let folder = Folder::new();
    folder.write("flags.csv", flags(&rows));
    folder
}

#[test]
fn every_family_that_is_searched_reports_what_it_is_made_of() {
    let folder = with_flags();
    for (family, options, made) in [
        ("nade", LAYER, "4 relu"),
        ("linear-trees+hidden", LAYER, "linear-trees + 4 relu"),
        ("boost", "--order natural --gamma 2 --strength 0.2", ""),
        ("mixture", "--components 3", ""),
    ] {
        let report = folder.json(&format!("fit flags.csv --family {family} {options} -o {family}.srp"));
        assert_eq!((report["family"].as_str(), number(&report, "bits")), (Some(family), 8.0));
        assert_eq!(number(&report, "file_bytes"), folder.read(&format!("{family}.srp")).len() as f64);
        let terms = report["terms"].as_str().unwrap_or_default();
        assert!(terms.contains(made), "{family}: {terms:?}");
        let (float, integer) = (number(&report, "float_valid_ll"), number(&report, "valid_ll"));
        assert!((float - integer).abs() < 8.0 * budget::FLOAT_TO_INTEGER_A_BIT, "{family}: {float} and {integer}");
        assert!((0.0..8.0 * budget::KL_A_BIT).contains(&number(&report, "kl_quantisation")), "{family}");

        let units = if made.is_empty() { 0.0 } else { 4.0 };
        let components = if family == "mixture" { 3.0 } else { 0.0 };
        assert_eq!(number(&report, "state_bytes"), 3.0 * 8.0 + 6.0 * units + 4.0 * components + 16.0, "{family}");
        let inspected = folder.json(&format!("inspect {family}.srp"));
        for (key, there) in
            [("state_bytes", "state_bytes"), ("operations", "most_operations"), ("table_bytes", "table_bytes")]
        {
            assert_eq!(number(&report, key), number(&inspected, there), "{family}: {key}");
        }
        let least = if family == "boost" { 1.0 } else { 8.0 * (2.0 * units + 4.0 * components) };
        assert!(number(&report, "operations") >= least, "{family}: {report}");
        assert!(folder.text(&format!("inspect {family}.srp")).contains(family));
    }
}

#[test]
fn a_table_with_a_layer_serves_every_command() {
    let folder = with_flags();
    folder.json(&format!("fit flags.csv --family nade {LAYER} -o a.srp"));
    folder.json("fit flags.csv --family mixture --components 2 -o b.srp");
    let scores = folder.json("score a.srp flags.csv");
    let nats: Vec<f64> = scores["nats"].as_array().unwrap().iter().map(|nats| nats.as_f64().unwrap()).collect();
    let mean = nats.iter().sum::<f64>() / 600.0;
    assert!((mean - number(&folder.json("eval a.srp flags.csv"), "mean_nats")).abs() < budget::F64_SUM);
    for row in folder.json("explain a.srp flags.csv --top 3")["rows"].as_array().unwrap() {
        let each = row["columns"].as_array().unwrap().iter().map(|column| number(column, "nats"));
        assert!((each.sum::<f64>() - number(row, "nats")).abs() < budget::F64_SUM);
    }
    let sampled = folder.text("sample a.srp -n 400 --seed 2");
    assert_eq!(sampled.lines().count(), 401);
    folder.write("sampled.csv", sampled);
    let of_samples = number(&folder.json("eval a.srp sampled.csv"), "mean_nats");
    assert!((of_samples - mean).abs() < budget::SAMPLED_FLAGS, "{of_samples} and {mean}");
    assert!(folder.text("compare a.srp b.srp").contains("KL"));
    for (name, words) in [
        (
            "a",
            [
                "HIDDEN_BIASES: [i16; 4]",
                "HIDDEN_INPUTS: [i8; 32]",
                "hidden_activation: 0,",
                "Table<'static, BITS, 4, 0>",
            ],
        ),
        (
            "b",
            [
                "MIXTURE_PRIORS: [u16; 2]",
                "MIXTURE_PARENTS: [[u8; 2]; 8]",
                "MIXTURE_LOGITS: [i8; 16]",
                "Table<'static, BITS, 0, 2>",
            ],
        ),
    ] {
        folder.json(&format!("export {name}.srp -o {name}.rs"));
        let source = String::from_utf8(folder.read(&format!("{name}.rs"))).unwrap();
        for word in words {
            assert!(source.contains(word), "{name}: no {word}");
        }
    }
}

#[test]
fn limits_are_promises() {
    let folder = with_flags();
    let fit = |family: &str, options: &str| {
        let report = folder.json(&format!("fit flags.csv --family {family} {options} -o model.srp"));
        let bytes = folder.read("model.srp").len() as f64;
        [bytes, number(&report, "state_bytes"), number(&report, "operations")]
    };
    let layers =
        "--order natural --epochs 3 --restarts 2 --activation relu --dropout 0 --weight-decay 0 --learning-rate 0.02";
    // 40 bytes are the row and its walk, six more each unit; a unit takes 16 operations.
    for (options, limits) in [
        ("--flash 900", [900.0, f64::MAX, f64::MAX]),
        ("--ram 92", [f64::MAX, 92.0, f64::MAX]),
        ("--ops 200", [f64::MAX, f64::MAX, 200.0]),
        ("--flash 1100 --ram 140 --ops 300", [1100.0, 140.0, 300.0]),
    ] {
        for family in ["nade", "linear-trees+hidden"] {
            let found = fit(family, &format!("{layers} {options}"));
            assert!(found.iter().zip(limits).all(|(found, limit)| *found <= limit), "{family} {options}: {found:?}");
            assert!(found[1] > 40.0, "{family} {options}: there is a hidden layer");
        }
    }
    // The report says how much likelihood the limits cost.
    let report = folder.json("fit flags.csv --family linear-trees --ops 12 -o model.srp");
    let excluded = &report["excluded"];
    assert!(number(excluded, "nats") > 0.0 && number(excluded, "operations") > 12.0, "{report}");
    assert!(folder.json("fit flags.csv --family linear-trees -o model.srp").get("excluded").is_none());
    for (family, options, most) in [
        ("boost", "--ops 30", [40.0, 30.0]),
        ("linear-trees", "--ops 12", [40.0, 12.0]),
        ("mixture", "--ram 56", [56.0, f64::MAX]),
        ("mixture", "--ops 100 --components 9", [52.0, 100.0]),
    ] {
        let [_, state, operations] = fit(family, options);
        assert!(state <= most[0] && operations <= most[1], "{family} {options}: {state}, {operations}");
    }
    folder.refuses("fit flags.csv --family nade --ram 40 -o none.srp", &["--ram", "no hidden layer fits"]);
    // The numbers that the message names are enough.
    folder.write("rows.csv", mixed(400, 0, 1));
    for data in ["flags.csv", "rows.csv --ignore label"] {
        for family in ["tables", "linear", "linear-trees", "mixture"] {
            let command = format!("fit {data} --family {family} -o none.srp");
            for limits in ["--ram 20", "--flash 100", "--ops 2", "--ram 20 --flash 100 --ops 2"] {
                let output = folder.run(&format!("{command} {limits}"));
                let message = String::from_utf8_lossy(&output.stderr).into_owned();
                if output.status.success() {
                    // Biases alone take no operation.
                    assert_eq!(limits, "--ops 2", "{command}");
                    continue;
                }
                let advice = message.split("pass at least ").nth(1).and_then(|rest| rest.split(',').next());
                let advice = advice.unwrap_or_else(|| panic!("{message}")).replace(" and ", " ");
                folder.text(&format!("{command} {advice}"));
            }
        }
    }
}

#[test]
fn a_search_keeps_its_promises_goes_on_where_it_was_and_cleans_up() {
    let folder = with_flags();
    let options =
        "--order natural --epochs 2 --restarts 2 --activation relu --dropout 0 --weight-decay 0 --learning-rate 0.02";
    let command = format!("fit flags.csv --family auto {options} --ram 106 --flash 2KiB -o model.srp");
    let report = folder.json(&format!("{command} --threads 1"));
    let first = folder.read("model.srp");
    assert!(first.len() <= 2048 && number(&report, "state_bytes") <= 106.0);
    assert!(!folder.path(JOURNAL).exists(), "the search is over");
    // The journal of a search of other data that a power failure ended.
    folder.write(JOURNAL, format!("{HEADER}{OTHER_LAYER}{}", &OTHER_LAYER[..40]));
    let output = folder.run(&format!("{command} --threads 2"));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && told.contains("1 layers"), "{told}");
    assert!(folder.read("model.srp") == first, "the seed decides every byte, the threads and the past none");
    assert!(!folder.path(JOURNAL).exists());
    // A line whose checksum is wrong is no layer.
    folder.write(JOURNAL, format!("{HEADER}{}", OTHER_LAYER.replace("0.5", "1.5")));
    let output = folder.run(&command);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !told.contains("resuming"), "{told}");
    assert!(folder.read("model.srp") == first && !folder.path(JOURNAL).exists());
}

#[test]
fn a_search_neither_changes_nor_deletes_a_file_that_is_not_its_journal() {
    let folder = with_flags();
    let command = "fit flags.csv --family auto --units 2 --epochs 1 -o model.srp";
    let old = r#"{"key": "0.1.0 081538bd", "valid_ll": -5.0, "activation": "relu", "of_bits": [-0.8]}"#;
    for text in [old, "notes of mine\n", "surprisal search journal 2\n", &HEADER[1..]] {
        folder.write(JOURNAL, text);
        folder.refuses(command, &[JOURNAL, "not a journal", "-o"]);
        assert_eq!(folder.read(JOURNAL), text.as_bytes());
    }
}

/// Ctrl-C ends a search with the best so far, and another run goes on from what was fitted.
#[cfg(unix)]
#[test]
fn auto_takes_tables_where_no_terms_over_bits_fit_and_says_so() {
    let folder = Folder::new();
    let mut random = random(3);
    let mut text = (0..300).map(|at| format!("c{at}")).collect::<Vec<_>>().join(",") + "\n";
    for _ in 0..200 {
        let row: Vec<String> = (0..300).map(|_| format!("{:.4}", random.random::<f64>())).collect();
        text += &(row.join(",") + "\n");
    }
    folder.write("wide.csv", text);
    let words = ["bits, but a model of bits holds at most 4096", "--ignore", "--cells", "--family tables"];
    folder.refuses("fit wide.csv --family linear -o wide.srp", &words);
    let report = folder.json("fit wide.csv --family auto --views 1 -o wide.srp");
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("took outcome tables") && warnings.contains("holds at most 4096"), "{report}");
    assert_eq!((&report["order"], &report["columns"]), (&"chow-liu".into(), &300.into()));
    assert_eq!(folder.json("eval wide.srp wide.csv")["rows"], 200);
    // The other remedies.
    folder.json("fit wide.csv --family marginal --cells 8 -o wide.srp");
    folder.json("fit wide.csv --family tables --views 1 -o wide.srp");
}

#[test]
fn an_interrupted_search_exports_and_remembers() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let folder = with_flags();
    // It would go on for minutes, the smallest layer for a second or so.
    let options = "--order natural --epochs 2000 --patience 2000 --restarts 1 --activation relu --dropout 0 --weight-decay 0 \
                   --learning-rate 0.02 --threads 2";
    let mut before = 0;
    for run in 0..2 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_surprisal"));
        command.current_dir(folder.path("")).args("fit flags.csv --family auto -o model.srp".split(' '));
        command.args(options.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().expect("the command runs");
        let kept = || {
            let lines = std::fs::read_to_string(folder.path(JOURNAL)).unwrap_or_default();
            lines.strip_prefix(HEADER).unwrap_or_default().matches('\n').count()
        };
        let start = Instant::now();
        while kept() <= before {
            assert!(start.elapsed() < Duration::from_secs(120), "run {run}: nothing is kept");
            std::thread::sleep(Duration::from_millis(10));
        }
        before = kept();
        let killed = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
        assert!(killed.expect("a shell").success());
        let output = child.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.contains("stopping"), "run {run}: {told}");
        assert_eq!(told.contains("resuming with"), run == 1, "{told}");
        assert!(kept() >= before && number(&folder.json("eval model.srp flags.csv"), "rows") == 600.0);
    }
}

#[test]
fn the_seed_decides_every_byte_of_a_layer_and_the_threads_none() {
    let folder = with_flags();
    for family in ["nade", "linear-trees+hidden", "boost"] {
        let options = if family == "boost" { "--order natural" } else { LAYER };
        let fit = |more: &str| {
            folder.json(&format!("fit flags.csv --family {family} {options} {more} -o model.srp"));
            folder.read("model.srp")
        };
        let first = fit("--seed 3 --threads 1");
        assert!(first == fit("--seed 3 --threads 3"), "{family}");
        assert!(first != fit("--seed 4 --threads 3"), "{family}");
    }
}

#[test]
fn every_way_up_and_every_unit_is_taken_by_its_name() {
    let folder = with_flags();
    for (units, optimizer, schedule) in
        [("relu", "sgd", "constant"), ("sigmoid", "momentum", "step"), ("identity", "adam", "inverse")]
    {
        let report = folder.json(&format!(
            "fit flags.csv --family nade --order natural --units 3 --epochs 3 --restarts 1 --dropout 0.1 --input-dropout 0.1 \
             --activation {units} --optimizer {optimizer} --schedule {schedule} --warm-up 0 --average 0 --batch 32 \
             --patience 2 --weight-decay 0.1 -o {units}.srp"
        ));
        assert!(report["terms"].as_str().unwrap().contains(&format!("3 {units}")), "{report}");
    }
}

#[test]
fn settings_out_of_range_are_refused_by_their_name() {
    let folder = with_flags();
    for (option, words) in [
        ("--units 0", "1..=256"),
        ("--units 300", "1..=256"),
        ("--restarts 0", "1..=64"),
        ("--components 65", "1..=64"),
        ("--learning-rate=-1", "above zero"),
        ("--learning-rate 0", "above zero"),
        ("--learning-rate nan", "above zero"),
        ("--dropout 1", "below 1"),
        ("--input-dropout=-0.1", "below 1"),
        ("--activation foo", "relu, sigmoid, identity"),
        ("--warm-up 1", "below 1"),
        ("--average 1", "below 1"),
        ("--batch 0", "at least 1"),
        ("--epochs 0", "at least 1"),
        ("--patience 0", "at least 1"),
        ("--weight-decay=-1", "zero or more"),
        ("--optimizer newton", "adam"),
        ("--schedule never", "cosine"),
        ("--ram 1lb", "unit"),
    ] {
        let name = option.split([' ', '=']).next().unwrap();
        for family in ["nade", "auto"] {
            folder.refuses(&format!("fit flags.csv --family {family} {option} -o none.srp"), &[name, words]);
        }
    }
}
