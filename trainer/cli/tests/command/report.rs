//! The report: a page for every kind of model and file, whose numbers are those of `eval`, and which nothing in a file breaks.

use std::fmt::Write as _;

use rand::RngExt;
use serde_json::Value;

use crate::QUICK;
use crate::data::{Folder, flags, mixed, number, random};

/// Writes the report, checks the page, and returns the page with its numbers.
fn report(folder: &Folder, arguments: &str) -> (String, Value) {
    let value = folder.json(&format!("report {arguments} -o page.html"));
    let page = String::from_utf8(folder.read("page.html")).expect("the page is text");
    check(&page);
    assert_eq!(number(&value, "bytes"), page.len() as f64);
    agrees_with_eval(&value, &folder.json(&format!("eval {} --sweep", arguments.replace("--against old.srp", ""))));
    (page, value)
}

/// Every figure says what it is and what to look for; nothing runs, and nothing is loaded.
fn check(page: &str) {
    let figures: Vec<&str> =
        page.split("<figure").skip(1).map(|rest| rest.split("</figure>").next().unwrap()).collect();
    assert!(figures.len() > 5, "{} figures", figures.len());
    for figure in figures {
        assert!(figure.contains("class=\"name\">") && figure.contains("<figcaption>"), "{figure}");
        let caption = figure.split("<figcaption>").nth(1).unwrap().split('<').next().unwrap();
        assert!(caption.len() > 10, "{caption}");
        if figure.contains("<svg ") {
            assert!(figure.contains("<title>") && figure.contains("<desc>") && figure.contains("role=\"img\""));
        }
    }
    for name in [
        "scores",
        "thresholds",
        "curves",
        "timeline",
        "calibration",
        "columns",
        "rows",
        "sampled",
        "reliability",
        "size",
        "drift",
    ] {
        let section =
            page.split(&format!("<section id=\"{name}\">")).nth(1).unwrap_or_else(|| panic!("no section {name}"));
        let section = section.split("</section>").next().unwrap();
        assert!(["<figure", "class=\"absent\"", "<p>"].iter().any(|part| section.contains(part)), "{name}: {section}");
    }
    for foreign in ["<script", "src=\"", "url(", "@import", "http://", "https://", "NaN", "\"#0"] {
        let rest = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!rest.contains(foreign), "{foreign}: {}", &rest[rest.find(foreign).unwrap()..][..80]);
    }
    assert!(page.contains("default-src 'none'") && page.len() < 2_000_000, "{} bytes", page.len());
}

/// The numbers that both commands print are equal.
fn agrees_with_eval(report: &Value, eval: &Value) {
    let detection = &report["detection"];
    for key in ["rows", "mean_nats", "alarms", "auc_pr"] {
        assert_eq!(detection[key], eval[key], "{key}: {detection} {eval}");
    }
    for key in ["alarms", "trends", "on_normal_rows", "false_alarms_per_day"] {
        assert_eq!(detection["raised"][key], eval["raised"][key], "{key}");
    }
    assert_eq!(detection["auc_roc"]["value"], eval["auc_roc"]);
    assert_eq!(detection["thresholds"], eval["sweep"]);
    if eval.get("recall").is_some() {
        assert_eq!(detection["recall"]["share"], eval["recall"]);
        assert_eq!(detection["precision"], eval["precision"]);
        assert_eq!(detection["false_alarms"]["share"], eval["false_alarm_rate"]);
    }
    if let Some(drift) = eval.get("drift") {
        assert_eq!(&detection["drift"], drift);
    }
}

#[test]
fn labelled_rows_are_judged_by_recall_and_false_alarms() {
    let folder = Folder::with_data();
    folder.write("more.csv", mixed(600, 60, 9));
    for options in ["", QUICK] {
        folder.text(&format!("fit data.csv --label label --false-alarm 0.05 {options} -o model.srp"));
        let (page, value) = report(&folder, "model.srp more.csv --rate 2 --votes 1:1 --hold-off 3");
        let detection = &value["detection"];
        assert_eq!((number(detection, "normal_rows"), number(detection, "anomalous_rows")), (600.0, 60.0));
        let tiles = value["summary"]["tiles"].as_array().unwrap();
        assert_eq!(tiles.len(), 4);
        assert_eq!(tiles[0]["value"], detection["raised"]["false_alarms_per_day"]);
        assert!(tiles.iter().all(|tile| tile["interval"][0].as_f64() <= tile["value"].as_f64()), "{tiles:?}");
        assert!(page.contains(value["summary"]["verdict"].as_str().unwrap()));
        // The load alone, ln 3 nats, is in three columns.
        assert!(number(&value["likelihood"]["saved"], "low") > 0.7, "{}", value["likelihood"]);
        let likelihood = &value["likelihood"];
        assert!(number(likelihood, "model") < number(likelihood, "independent"));
        assert!(number(likelihood, "independent") < number(likelihood, "uniform"));
        assert_eq!(value["top_rows"].as_array().unwrap().len(), 12);
        let blamed = value["blame"]["labels"].as_array().unwrap();
        assert!(blamed.iter().any(|label| label[0] == "1"), "{blamed:?}");
    }
}

/// The words follow from the numbers: the same model is good on rows like those of the fit, and not on others.
#[test]
fn words_follow_from_numbers() {
    let folder = Folder::with_data();
    folder.text(&format!("fit data.csv --label label --false-alarm 0.05 {QUICK} -o model.srp"));
    let without_label =
        |csv: String| csv.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n").collect::<String>();
    folder.write("same.csv", without_label(mixed(2000, 0, 3)));
    folder.write("worn.csv", without_label(mixed(0, 300, 4)));
    let (page, same) = report(&folder, "model.srp same.csv");
    assert_ne!(same["summary"]["grade"], "no", "{}", same["summary"]);
    assert!(page.contains("The rows have no labels"));
    let (page, worn) = report(&folder, "model.srp worn.csv");
    assert_eq!(worn["summary"]["grade"], "no", "{}", worn["summary"]);
    assert!(
        page.contains("The promise is broken by a factor of") && page.contains("has drifted: rows are more surprising")
    );
    assert!(number(&worn["likelihood"]["saved"], "value") < number(&same["likelihood"]["saved"], "value"));
}

/// Kinds of fault that are too rare for the table of the page are judged too.
#[test]
fn rare_kinds_that_are_missed_are_named() {
    let folder = Folder::new();
    let mut random = random(6);
    let mut normal = || format!("{},{}", random.random_range(0..20), random.random_range(0..20));
    let mut fit = String::from("heat,flow,fault\n");
    (0..600).for_each(|_| writeln!(fit, "{},0", normal()).unwrap());
    let mut rows = fit.clone();
    for kind in 1..=20 {
        (0..30).for_each(|_| writeln!(rows, "{},{},loud{kind}", 500 + kind, 700 + kind).unwrap());
    }
    // Rows of these kinds are normal rows in all but their label.
    let usual = fit.lines().nth(1).unwrap().rsplit_once(',').unwrap().0;
    for kind in 1..=5 {
        (0..3 + kind).for_each(|_| writeln!(rows, "{usual},quiet{kind}").unwrap());
    }
    folder.write("fit.csv", &fit);
    folder.write("rows.csv", &rows);
    folder.text("fit fit.csv --label fault --normal 0 --false-alarm 0.02 -o model.srp");
    let (page, value) = report(&folder, "model.srp rows.csv --label fault --normal 0");
    assert_eq!(value["detection"]["labels"].as_array().unwrap().len(), 25);
    assert!(page.contains("5 rarer values are not listed"));
    assert_eq!(value["summary"]["grade"], "partly", "{}", value["summary"]);
    let names = "quiet5 (found 0 of 8), quiet4 (found 0 of 7), quiet3 (found 0 of 6), quiet2 (found 0 of 5), quiet1 (found 0 of 4)";
    assert!(page.contains(&format!("more than one row in ten, the worst first: {names}.")), "{}", value["summary"]);
}

#[test]
fn bits_with_and_without_layers_have_a_page() {
    let folder = Folder::new();
    let mut random = random(1);
    let rows: Vec<Vec<bool>> = (0..600)
        .map(|_| {
            let first: bool = random.random();
            (0..6).map(|at| (at % 2 == 0 && first) ^ random.random_bool(0.1)).collect()
        })
        .collect();
    folder.write("bits.csv", flags(&rows));
    for family in ["linear-trees", "mixture", "nade"] {
        folder.text(&format!("fit bits.csv --family {family} -o model.srp"));
        let (page, value) = report(&folder, "model.srp bits.csv");
        assert!(number(&value["likelihood"]["saved"], "value") > 0.3, "{family}: {}", value["likelihood"]);
        let shares = family != "linear-trees";
        assert_eq!(page.contains("The columns share the hidden layer or the mixture"), shares, "{family}");
        assert!(page.contains("instructions per row"));
        assert!(page.contains("Caution: the model was fitted on this file"));
        assert_eq!(page.matches("knows its training rows too well").count(), 1);
    }
}

#[test]
fn series_and_signals_have_a_page() {
    let folder = Folder::new();
    let mut random = random(5);
    let (mut heat, mut rows) = (20.0, String::from("clock,heat,flow,valve,fault\n"));
    for at in 0..900 {
        let fault = (700..760).contains(&at);
        heat += 0.2 * (20.0 - heat) + random.random::<f64>() - 0.5 + if fault { 3.0 } else { 0.0 };
        let (valve, flow) = (["open", "shut"][at / 20 % 2], random.random_range(0..50));
        writeln!(rows, "{},{heat:.3},{flow},{valve},{}", 1_700_000_000 + 60 * at, u8::from(fault)).unwrap();
    }
    folder.write("series.csv", rows);
    let fit = "--time clock --window 8 --label fault --false-alarm 0.05";
    for family in ["tables", "linear"] {
        folder.text(&format!("fit series.csv {fit} --family {family} -o model.srp"));
        let (page, value) = report(&folder, "model.srp series.csv --rate 0.0166");
        let label = &value["detection"]["labels"][0];
        assert_eq!((label["label"].as_str(), label["episodes"].as_u64()), (Some("1"), Some(1)), "{label}");
        assert!(number(label, "median_delay") < 20.0 && page.contains("The model is one of a time series"), "{label}");
    }
    let motor: String =
        (0..9000).map(|at| format!("{}\n", (at * 37 % 251) as f64 + 20.0 * random.random::<f64>())).collect();
    folder.write("motor.csv", format!("volts\n{motor}"));
    folder.text("fit motor.csv --signal 128:32 --bands 2 --false-alarm 0.05 -o motor.srp");
    let (page, value) = report(&folder, "motor.srp motor.csv");
    assert!(page.contains("a row is 128 samples") && page.contains("<th scope=\"col\">sample</th>"));
    assert!(number(&value["detection"], "rows") > 200.0);
}

#[test]
fn given_columns_and_single_columns_say_what_does_not_apply() {
    let folder = Folder::with_data();
    for family in ["tables", "linear"] {
        folder.text(&format!(
            "fit data.csv --label label --family {family} --given mode --false-alarm 0.05 -o model.srp"
        ));
        let (page, value) = report(&folder, "model.srp data.csv");
        assert!(page.contains("The model cannot draw rows: --given: the model takes `mode` as given"), "{family}");
        assert!(value["columns"].as_array().unwrap().iter().all(|column| column["column"] != "mode"));
        assert!(value["sampled"].is_null());
    }
    let mut random = random(2);
    let one: String = (0..300).map(|_| format!("{}\n", random.random_range(0..100))).collect();
    folder.write("one.csv", format!("load\n{one}"));
    folder.text("fit one.csv -o one.srp");
    let (page, _) = report(&folder, "one.srp one.csv");
    for words in
        ["One column alone has no pairwise dependence", "its one column depends on no other", "Curves need both"]
    {
        assert!(page.contains(words), "{words}");
    }
    folder.write("few.csv", format!("load\n{}", &one[..one.find('\n').unwrap() + 1]));
    let (page, _) = report(&folder, "one.srp few.csv");
    assert!(page.contains("too few"));
    // A model that never alarms says nothing about the rows.
    folder.text("fit one.csv --false-alarm 0.0001 -o silent.srp");
    let (_, value) = report(&folder, "silent.srp one.csv");
    let verdict = value["summary"]["verdict"].as_str().unwrap();
    assert!(verdict.starts_with("Not usable as it is: it raises no alarm ever"), "{verdict}");
    // Another unit gets a threshold, and is told that there was none.
    let text = folder.text("calibrate silent.srp one.csv --false-alarm 0.05 -o again.srp");
    assert!(text.contains("; before: no alarm ever"), "{text}");
}

#[test]
fn hundreds_of_columns_are_cut_to_the_important_ones() {
    let folder = Folder::new();
    let mut random = random(3);
    let names: Vec<String> = (0..300).map(|at| format!("s{at}")).collect();
    let mut csv = names.join(",") + "\n";
    for _ in 0..300 {
        let base: i32 = random.random_range(0..40);
        let row: Vec<String> = (0..300).map(|at| (base * (at % 3) + random.random_range(0..20)).to_string()).collect();
        csv += &(row.join(",") + "\n");
    }
    folder.write("wide.csv", csv);
    folder.text("fit wide.csv --family linear --order natural --strength 5 --cells 3 --false-alarm 0.1 -o bits.srp");
    folder.text("fit wide.csv --family tables --false-alarm 0.1 -o tables.srp");
    for model in ["bits.srp", "tables.srp"] {
        let (page, value) = report(&folder, &format!("{model} wide.csv"));
        assert!(
            page.contains("Shown are the 30 most important of 300 columns")
                && page.contains("288 less important columns")
        );
        assert_eq!(value["columns"].as_array().unwrap().len(), 300);
    }
}

/// Names, categories and labels from a file are text on the page, whatever they hold.
#[test]
fn hostile_names_are_text() {
    let folder = Folder::new();
    let mut random = random(4);
    let mut csv = String::from(
        "\"<script>alert(1)</script>\",\"a\"\"><img src=x onerror=alert(2)>\",\"'&lt;&#x3c;\u{202e}\",kind\n",
    );
    for at in 0..400 {
        let load = random.random_range(0..3);
        let text = ["</td><svg onload=alert(3)>", "&amp;\"'", "<b>"][load];
        let kind = if at % 20 == 0 { "</title><script>alert(4)</script>" } else { "ok" };
        let far = if at % 20 == 0 { 500 } else { 0 };
        writeln!(
            csv,
            "{},\"{}\",{},{kind}",
            10 * load + random.random_range(0..9) + far,
            text.replace('"', "\"\""),
            load
        )
        .unwrap();
    }
    folder.write("hostile.csv", csv);
    folder.text("fit hostile.csv --label kind --normal ok --false-alarm 0.1 -o model.srp");
    let (page, value) = report(&folder, "model.srp hostile.csv");
    for tag in ["<script", "<img", "onload=alert(3)>", "<b>alert", "\u{202e}", "</td><svg"] {
        assert!(!page.contains(tag), "{tag}");
    }
    assert!(
        page.contains("&lt;script&gt;alert(1)…")
            && page.contains("&lt;/title&gt;&lt;script&gt;alert(4)&lt;/script&gt;")
    );
    assert_eq!(value["detection"]["labels"][0]["label"], "</title><script>alert(4)</script>");
}

#[test]
fn two_models_stand_side_by_side() {
    let folder = Folder::with_data();
    folder.text(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    folder.text("fit data.csv --label label --family marginal -o old.srp");
    let (page, value) = report(&folder, "model.srp data.csv --held-out --against old.srp");
    let old = folder.json("eval old.srp data.csv --held-out --sweep");
    agrees_with_eval(&value["against"], &old);
    // The marginal model knows nothing of the load.
    assert!(number(&value["against"]["advantage"], "nats") > 0.7, "{}", value["against"]["advantage"]);
    assert!(page.contains("model.srp against old.srp") && page.contains("The four numbers of both models"));
    assert!(page.contains("other model, normal rows"));
    folder.refuses("report model.srp - --against old.srp -o page2.html", &["--against", "standard input"]);
    folder.write("other.csv", "a,b\n1,2\n");
    folder.refuses("report model.srp data.csv --against other.csv -o page2.html", &["other.csv"]);
}

#[test]
fn the_page_never_replaces_an_input_and_needs_rows() {
    let folder = Folder::with_data();
    folder.text(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    folder.refuses("report model.srp data.csv -o data.csv", &["data.csv"]);
    folder.refuses("report model.srp data.csv -o model.srp", &["model.srp"]);
    folder.refuses("report model.srp data.csv -o no/where.html", &["no/where.html"]);
    let text = folder.text("report model.srp data.csv --held-out -o page.html");
    assert!(text.contains("wrote page.html") && text.ends_with("open it in a browser\n"), "{text}");
    assert_eq!(text, folder.text("report model.srp data.csv --held-out -o page.html"), "the same bytes again");
}
