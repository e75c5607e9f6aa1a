//! Files with more rows than are fitted.

use crate::data::{Folder, mixed, number};

#[test]
fn a_sample_of_many_rows_is_fitted_and_the_report_says_so() {
    for family in ["tables", "linear --order natural --strength 5"] {
        let folder = Folder::new();
        folder.write("data.csv", mixed(4000, 0, 1));
        let fit = |options: &str| {
            let report = folder.json(&format!("fit data.csv --ignore label --family {family} {options} -o model.srp"));
            (report, folder.read("model.srp"))
        };
        let (report, model) = fit("--max-rows 1000");
        assert_eq!([number(&report, "train_rows"), number(&report["sampling"], "of")], [1000.0, 2800.0]);
        assert_eq!([number(&report, "valid_rows"), number(&report, "calibration_rows")], [250.0, 400.0]);
        let gain = |key| number(&report["sampling"]["gain"], key);
        assert!((-1.0..1.0).contains(&gain("over_quarter")) && gain("chance") > 0.0, "{family}: {report}");
        assert!(gain("least") < gain("most"), "{family}: {report}");
        assert!(model == fit("--max-rows 1000 --threads 1").1, "{family}");
        assert!(model != fit("--max-rows 1000 --seed 1").1, "{family}");
        let text = folder.text(&format!("fit data.csv --ignore label --family {family} --max-rows 1000 -o model.srp"));
        assert!(text.contains("a random sample of 1000 of 2800 training rows"), "{text}");
        assert!(text.contains("a quarter of the sample loses") && text.contains("all rows would gain"), "{text}");
        assert!(folder.text("inspect model.srp").contains("1000 training rows, a sample of 2800"));
        // The rows that are held out do not depend on the sample.
        assert_eq!(number(&folder.json("eval model.srp data.csv --held-out"), "rows"), 400.0);
        let (whole, model) = fit("--max-rows all");
        assert_eq!((number(&whole, "train_rows"), &whole["sampling"]), (2800.0, &serde_json::Value::Null));
        assert!(model == fit("--max-rows 0").1 && model == fit("").1, "{family}");
    }
    Folder::with_data().refuses("fit data.csv --max-rows few", &["--max-rows", "or all"]);
}

#[test]
fn a_series_is_sampled_too() {
    let folder = Folder::new();
    folder.write("data.csv", mixed(3000, 0, 2));
    let report = folder.json("fit data.csv --ignore label --window 4 --family linear --max-rows 500 -o model.srp");
    assert_eq!(number(&report, "train_rows"), 500.0);
    assert!(number(&folder.json("eval model.srp data.csv --held-out"), "rows") > 250.0);
}
