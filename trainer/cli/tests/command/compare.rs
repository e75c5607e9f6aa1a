//! `surprisal compare`: two models, or a model and data.

use rand::RngExt;
use serde_json::Value;

use crate::budget::{F64_SUM, NATS_OF_A_BIT, STANDARD_ERRORS};
use crate::data::{Folder, flags, mixed, number, random};

const KEYS: [&str; 4] = ["kl_a_b", "kl_b_a", "jensen_shannon", "total_variation"];
const QUICK: &str = "--family linear --order natural --strength 5";

/// Rows of flags that mostly repeat the one before.
fn sticky(bits: usize, rows: usize) -> String {
    let mut random = random(9);
    let mut row = || {
        let mut bit = random.random_bool(0.3);
        (0..bits)
            .map(|_| {
                bit ^= random.random_bool(0.2);
                bit
            })
            .collect::<Vec<bool>>()
    };
    flags(&(0..rows).map(|_| row()).collect::<Vec<_>>())
}

/// A folder with `a.srp`, `b.srp` of another order, and `m.srp` without any dependence, of the same flags.
fn with_flags(bits: usize) -> Folder {
    let folder = Folder::new();
    folder.write("data.csv", sticky(bits, 600));
    folder.write("order.txt", (0..bits).rev().map(|i| format!("f{i}\n")).collect::<String>());
    folder.text(&format!("fit data.csv {QUICK} -o a.srp"));
    folder.text("fit data.csv --family tree --order order.txt --gamma 3 --strength 1 -o b.srp");
    folder.text("fit data.csv --family marginal -o m.srp");
    folder
}

fn value(report: &Value, key: &str) -> f64 {
    number(&report[key], "value")
}

#[test]
fn a_model_is_nothing_away_from_itself() {
    let folder = with_flags(8);
    let report = folder.json("compare a.srp a.srp");
    for key in KEYS.iter().chain(&["wasserstein"]) {
        assert_eq!((value(&report, key), &report[key]["exact"]), (0.0, &true.into()), "{key}");
    }
}

#[test]
fn few_bits_are_compared_exactly() {
    let folder = with_flags(8);
    let (there, back) = (folder.json("compare a.srp b.srp"), folder.json("compare b.srp a.srp"));
    assert_eq!((&there["method"], number(&there, "outcomes")), (&"enumeration".into(), 256.0));
    for (key, turned) in [("kl_a_b", "kl_b_a"), ("kl_b_a", "kl_a_b"), ("jensen_shannon", "jensen_shannon")] {
        assert!(value(&there, key) > 0.0 && (value(&there, key) - value(&back, turned)).abs() < F64_SUM, "{key}");
        assert_eq!((&there[key]["exact"], &there[key]["standard_error"]), (&true.into(), &Value::Null));
    }
    assert!((value(&there, "wasserstein") - value(&back, "wasserstein")).abs() < F64_SUM);
    assert!(value(&there, "wasserstein") >= value(&there, "total_variation"));
    // What hangs together is further from what does not than from another guess at how it does.
    assert!(value(&folder.json("compare a.srp m.srp"), "kl_a_b") > value(&there, "kl_a_b") + 0.5);
    // The seed and the threads are of no consequence here.
    assert_eq!(folder.text("compare a.srp b.srp"), folder.text("compare a.srp b.srp --seed 5 --threads 1"));
}

/// Columns that do not hang together may be asked in any order, numbers, categories and missing ones too.
#[test]
fn orders_do_not_matter() {
    let folder = Folder::with_data();
    folder.write("order.txt", "humid\ndoor\nheat\nmode\nshake\n");
    folder.text("fit data.csv --label label --family marginal --order natural -o a.srp");
    folder.text("fit data.csv --label label --family marginal --order order.txt -o b.srp");
    let exact = folder.json("compare a.srp b.srp");
    for key in KEYS {
        assert!(value(&exact, key) < F64_SUM, "{key}: {exact}");
    }
    assert_eq!(exact["method"], "enumeration", "there are fewer rows than bits would allow");
    assert!(number(&exact, "bits") > 20.0);
}

#[test]
fn data_are_compared_by_their_frequencies() {
    let folder = with_flags(8);
    let (report, eval) = (folder.json("compare a.srp data.csv"), folder.json("eval a.srp data.csv"));
    assert_eq!((number(&report, "data_rows"), &report["method"]), (600.0, &"enumeration".into()));
    let (surprisal, entropy) = (number(&report, "cross_entropy"), number(&report, "entropy"));
    assert!((surprisal - number(&eval, "mean_nats")).abs() < 8.0 * NATS_OF_A_BIT);
    assert!((surprisal - entropy - value(&report, "kl_b_a")).abs() < F64_SUM);
    // 600 rows do not cover 256 that are as unlike as that.
    assert_eq!((&report["kl_a_b"]["value"], &report["kl_a_b"]["infinite"]), (&Value::Null, &true.into()));
    let text = folder.text("compare a.srp data.csv");
    assert!(text.contains("inf") && text.contains("A gives probability to rows that B does not have"), "{text}");
    // A model that fits better is nearer by just as much.
    let marginal = folder.json("compare m.srp data.csv");
    let nearer = value(&marginal, "kl_b_a") - value(&report, "kl_b_a");
    assert!(nearer > 0.1 && (nearer - (number(&marginal, "cross_entropy") - surprisal)).abs() < F64_SUM);
    assert_eq!(folder.text("compare a.srp data.csv -o answer.txt"), "");
    assert_eq!(folder.read("answer.txt"), text.as_bytes());
    folder.refuses("compare a.srp data.csv -o data.csv", &["data.csv", "overwritten"]);
}

#[test]
fn data_that_cover_a_model_are_finitely_far() {
    let folder = with_flags(3);
    let report = folder.json("compare a.srp data.csv");
    assert!(value(&report, "kl_a_b") > 0.0 && value(&report, "kl_b_a") > 0.0);
}

/// As with `fit`, odd rows have no say.
#[test]
fn only_ordinary_rows_are_compared() {
    let folder = Folder::with_data();
    folder.text(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    let ordinary: String =
        mixed(400, 20, 1).lines().filter(|line| !line.ends_with(",1")).map(|l| format!("{l}\n")).collect();
    folder.write("ordinary.csv", ordinary);
    let [all, ordinary] = ["data", "ordinary"].map(|name| folder.json(&format!("compare model.srp {name}.csv")));
    assert_eq!((number(&all, "data_rows"), &all["kl_b_a"]), (400.0, &ordinary["kl_b_a"]));
    assert_eq!(number(&folder.json("compare model.srp data.csv --held-out"), "data_rows"), 40.0);
    let odd = folder.json("compare model.srp data.csv --label label --normal 1");
    assert_eq!(number(&odd, "data_rows"), 20.0);
    assert!(value(&odd, "kl_b_a") > 2.0);
    folder
        .refuses("compare model.srp data.csv --label label --normal fine", &["data.csv", "no normal rows", "--normal"]);
    folder.refuses("compare model.srp model.srp --held-out", &["--held-out", "model.srp"]);
}

#[test]
fn many_bits_are_estimated() {
    let folder = with_flags(30);
    let command = "compare a.srp b.srp -n 2000 --pairs 100";
    let report = folder.json(command);
    assert_eq!((&report["method"], number(&report, "sampled_rows")), (&"samples".into(), 2000.0));
    for key in KEYS.iter().chain(&["wasserstein", "wasserstein_baseline"]) {
        assert!(number(&report[key], "standard_error") > 0.0 && report[key]["exact"] == false, "{key}");
        assert!(value(&report, key) > 0.0, "{key}");
    }
    assert_eq!(report, folder.json(&format!("{command} --threads 1")));
    let other = folder.json(&format!("{command} --seed 1"));
    for key in KEYS {
        let error = number(&report[key], "standard_error").hypot(number(&other[key], "standard_error"));
        let difference = (value(&report, key) - value(&other, key)).abs();
        assert!(difference > 0.0 && difference < STANDARD_ERRORS * error, "{key}: {report} {other}");
    }
    assert!(folder.text(command).contains('±'));
    // Against data only Wasserstein-1 needs samples.
    let data = folder.json("compare a.srp data.csv --pairs 100");
    assert_eq!((&data["method"], &data["kl_b_a"]["exact"]), (&"data".into(), &true.into()));
    assert!(number(&data["wasserstein"], "standard_error") > 0.0, "{data}");
    folder.refuses("compare a.srp b.srp -n 1", &["-n", "2"]);
    folder.refuses("compare a.srp b.srp --pairs 0", &["--pairs"]);
}

#[test]
fn models_of_other_columns_are_refused() {
    let folder = with_flags(6);
    folder.write("mixed.csv", mixed(400, 20, 1));
    folder.write("warmer.csv", mixed(400, 20, 2));
    for name in ["mixed", "warmer"] {
        folder.text(&format!("fit {name}.csv --label label --family marginal -o {name}.srp"));
    }
    folder.text("fit mixed.csv --label label --ignore heat --family marginal -o without.srp");
    folder.refuses("compare mixed.srp without.srp", &["without.srp", "5 columns", "4 in the other"]);
    folder.refuses("compare a.srp mixed.srp", &["a.srp", "6 columns"]);
    // The same names of other kinds.
    let of =
        |third: &str| (0..60).map(|i| format!("{},{}\n", i % 2, third.as_bytes()[i % 3] as char)).collect::<String>();
    for (name, third) in [("flag", "010"), ("integer", "047"), ("category", "abc"), ("other", "abd")] {
        folder.write(&format!("{name}.csv"), format!("x,y\n{}", of(third)));
        folder.text(&format!("fit {name}.csv --family marginal -o {name}.srp"));
    }
    folder.refuses("compare flag.srp integer.srp", &["`y`", "kind"]);
    // A category that one model does not know is one of all others there.
    let report = folder.json("compare category.srp other.srp");
    assert_eq!(report["method"], "readings");
    assert!(value(&report, "kl_a_b") > 0.5, "{report}");
    folder.write("missing.csv", format!("x,y\n{}1,\n0,\n", of("047").repeat(3)));
    folder.text("fit missing.csv --family marginal -o missing.srp");
    folder.refuses("compare integer.srp missing.srp", &["`y`", "missing", "surprisal eval"]);
}

/// One row has no standard error, and its numbers are no exact ones.
#[test]
fn a_single_row_has_no_standard_error() {
    let folder = Folder::with_data();
    folder.write("one.csv", mixed(1, 0, 7));
    for (name, family) in [("a", "tables"), ("b", "linear")] {
        folder.text(&format!("fit data.csv --label label --family {family} -o {name}.srp"));
    }
    let report = folder.json("compare a.srp b.srp one.csv");
    let ratio = &report["on_normal_data"]["ln_a_b"];
    assert_eq!((&ratio["standard_error"], &ratio["exact"]), (&Value::Null, &false.into()));
    for command in ["compare a.srp b.srp one.csv", "compare a.srp one.csv"] {
        let text = folder.text(command);
        assert!(text.contains("one row has no standard error") && !text.contains("± 0.00000"), "{text}");
    }
    let (_, eval) = (folder.text("eval a.srp one.csv"), folder.json("eval a.srp one.csv"));
    assert_eq!((&eval["anomalous"]["rows"], &eval["anomalous"]["mean_nats"]), (&0.into(), &Value::Null));
}

/// Both models of the same numbers, whatever their cells: 32 cells describe the sample's noise as well as 16.
#[test]
fn models_with_other_cells_are_compared_over_readings() {
    let folder = Folder::new();
    let mut random = random(3);
    let rows: String = (0..4000).map(|_| format!("{}\n", 1000.0 * random.random::<f64>())).collect();
    folder.write("flat.csv", format!("x\n{rows}"));
    for (name, options) in [
        ("few", "--family marginal --cells 16"),
        ("many", "--family marginal --cells 32"),
        ("tables", "--family tables --views 1"),
        ("views", "--family tables"),
    ] {
        folder.text(&format!("fit flat.csv {options} -o {name}.srp"));
    }
    for (a, b) in [("few", "many"), ("few", "tables"), ("tables", "views"), ("views", "many")] {
        let report = folder.json(&format!("compare {a}.srp {b}.srp -n 4000"));
        assert_eq!((&report["method"], number(&report, "sampled_rows")), (&"readings".into(), 4000.0));
        for key in ["kl_a_b", "kl_b_a"] {
            let error = number(&report[key], "standard_error");
            // A constant factor between the densities, such as the ratio of the cells, would be 0.69.
            assert!((-STANDARD_ERRORS * error..0.1).contains(&value(&report, key)), "{a} {b} {key}: {report}");
        }
        // Pinsker's inequality.
        assert!(value(&report, "kl_a_b") + 0.02 > 2.0 * value(&report, "total_variation").powi(2), "{report}");
        assert!(report.get("wasserstein").is_none(), "{report}");
    }
}

#[test]
fn tables_are_compared_with_tables_and_bits() {
    let folder = Folder::with_data();
    for (name, options) in [
        ("tables", "--family tables"),
        ("one", "--family tables --views 1 --cells 8"),
        ("bits", QUICK),
        ("alone", "--family marginal"),
    ] {
        folder.text(&format!("fit data.csv --label label --false-alarm 0.05 {options} -o {name}.srp"));
    }
    let own = folder.json("compare tables.srp tables.srp -n 500");
    for key in KEYS {
        assert_eq!(value(&own, key), 0.0, "{key}");
    }
    assert_eq!(own["on_a"]["alarms_a"], own["on_a"]["alarms_both"]);
    let (there, back) =
        (folder.json("compare tables.srp bits.srp -n 2000"), folder.json("compare bits.srp tables.srp"));
    for (key, turned) in [("kl_a_b", "kl_b_a"), ("kl_b_a", "kl_a_b"), ("jensen_shannon", "jensen_shannon")] {
        let error = number(&there[key], "standard_error").hypot(number(&back[turned], "standard_error"));
        let apart = (value(&there, key) - value(&back, turned)).abs();
        assert!(value(&there, key) > 0.0 && apart < STANDARD_ERRORS * error, "{key}: {there} {back}");
    }
    // The dependence between the columns sets the tables apart from the marginals further than from other tables.
    let (near, far) = (folder.json("compare tables.srp one.srp"), folder.json("compare tables.srp alone.srp"));
    assert!(value(&far, "kl_a_b") > value(&near, "kl_a_b") + 0.5, "{near} {far}");
    let text = folder.text("compare tables.srp bits.srp -n 500");
    for words in ["over readings", "Wasserstein-1 is not defined", "alarms on 500 rows of B"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Rows of data: the normal and the anomalous ones.
    let report = folder.json("compare tables.srp bits.srp data.csv -n 100");
    let [normal, anomalous] = ["on_normal_data", "on_anomalous_data"].map(|key| &report[key]);
    assert_eq!((number(normal, "rows"), number(anomalous, "rows")), (400.0, 20.0));
    for (name, key) in [("tables", "alarms_a"), ("bits", "alarms_b")] {
        let eval = folder.json(&format!("eval {name}.srp data.csv"));
        assert_eq!(
            [&normal[key], &anomalous[key]],
            [&eval["normal"]["alarms"], &eval["anomalous"]["alarms"]],
            "{name}"
        );
    }
    assert!(number(anomalous, "alarms_a") > 0.0, "{report}");
    let held_out = folder.json("compare tables.srp bits.srp data.csv --held-out -n 100");
    assert_eq!(number(&held_out["on_normal_data"], "rows"), 40.0);
    // Tables and data have no divergence, but a mean surprisal.
    let data = folder.json("compare tables.srp data.csv");
    assert!(data.get("kl_a_b").is_none() && number(&data, "cross_entropy") > 0.0, "{data}");
    folder.refuses("compare tables.srp data.csv data.csv", &["data.csv", ".srp", "rows of data come last"]);
    folder.text("fit data.csv --label label --ignore heat -o without.srp");
    folder.text("fit data.csv --label label -o calm.srp");
    assert!(folder.text("compare tables.srp calm.srp -n 100").contains("B: no alarm ever: 40 calibration rows"));
    folder.refuses("compare tables.srp without.srp", &["without.srp", "5 columns", "4 in the other"]);
    folder.write("renamed.csv", mixed(400, 20, 1).replacen("heat", "warmth", 1));
    folder.text("fit renamed.csv --label label -o renamed.srp");
    folder.refuses(
        "compare tables.srp renamed.srp",
        &["renamed.srp", "`heat`", "missing from one", "same training rows"],
    );
}

#[test]
fn what_is_neither_a_model_nor_data_is_refused() {
    let folder = with_flags(4);
    folder.refuses("compare data.csv a.srp", &["data.csv", "the model comes first"]);
    folder.refuses("compare data.csv data.csv", &["data.csv"]);
    folder.refuses("compare a.srp nowhere.srp", &["nowhere.srp"]);
    folder.refuses("compare a.srp nowhere.csv", &["nowhere.csv"]);
    folder.write("cut.srp", &folder.read("a.srp")[..100]);
    folder.refuses("compare a.srp cut.srp", &["cut.srp"]);
    folder.text("export a.srp -o bare.srp");
    folder.refuses("compare a.srp bare.srp", &["bare.srp", "bare table"]);
}
