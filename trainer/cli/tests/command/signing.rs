//! `keygen`, `sign` and `verify`: keys, updates, and what is refused.

use crate::data::Folder;

/// The example of RFC 8410, section 10.3, and its public half from section 10.1.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                       -----END PRIVATE KEY-----\n";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
                      -----END PUBLIC KEY-----\n";
const DIGITS: &str = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

/// A folder with a model, a key of its own and that of the RFC, and an update that the latter signed.
fn with_update() -> Folder {
    let folder = Folder::with_data();
    folder.write("rfc.pem", PRIVATE);
    folder.write("rfc.pub", PUBLIC);
    folder.text("fit data.csv --label label --false-alarm 0.05 -o model.srp");
    folder.text("sign model.srp --key rfc.pem --release 7 -o model.sru");
    folder
}

#[test]
fn a_key_in_any_form_verifies_what_it_signed() {
    let folder = with_update();
    for key in [DIGITS, "rfc.pem", "rfc.pub", &DIGITS.to_uppercase()] {
        let value = folder.json(&format!("verify model.sru --key {key} --model model.srp"));
        assert_eq!((value["release"].as_u64(), value["public_key"].as_str()), (Some(7), Some(DIGITS)), "{key}");
    }
    // The same command signs the same bytes.
    let first = folder.read("model.sru");
    folder.text("sign model.srp --key rfc.pem --release 7 -o model.sru");
    assert!(folder.read("model.sru") == first);
}

#[test]
fn a_new_key_is_secret_and_unlike_all_others() {
    let folder = with_update();
    let [one, two] = ["one.pem", "two.pem"].map(|name| folder.json(&format!("keygen -o {name}"))["public_key"].clone());
    assert_ne!(one, two);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path("one.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "others may read the key");
    }
    folder.text("sign model.srp --key one.pem --release 8 -o one.sru");
    folder.text(&format!("verify one.sru --key {}", one.as_str().unwrap()));
    folder.refuses(&format!("verify one.sru --key {}", two.as_str().unwrap()), &["one.sru", "signature"]);
    // Whoever overwrites a key can never update these devices again.
    folder.refuses("keygen -o one.pem", &["one.pem", "never overwritten"]);
    folder.refuses("keygen -o no/such/folder.pem", &["folder.pem"]);
}

#[test]
fn faults_of_keys_and_updates_are_named() {
    let folder = with_update();
    folder.write("empty.pem", "");
    folder.write("locked.pem", PRIVATE.replace("PRIVATE", "ENCRYPTED PRIVATE"));
    let update = folder.read("model.sru");
    folder.write("cut.sru", &update[..update.len() - 1]);
    folder.write("short.sru", &update[..90]);
    folder.write("head.sru", &update[..80]);
    folder.write("long.sru", [&update[..], &[0]].concat());
    let changed = |at: usize| {
        let mut bytes = update.clone();
        bytes[at] ^= 1;
        bytes
    };
    folder.write("table.sru", changed(300));
    folder.write("release.sru", changed(68));
    folder.write("signature.sru", changed(3));
    folder.text("fit data.csv --label label --false-alarm 0.05 --seed 9 --max-rows 200 -o other.srp");

    for key in ["empty.pem", "locked.pem", "rfc.pub", "model.srp"] {
        folder.refuses(&format!("sign model.srp --key {key} --release 1 -o new.sru"), &[key]);
    }
    for key in ["empty.pem", "model.srp", "absent.pem", &DIGITS[1..]] {
        folder.refuses(&format!("verify model.sru --key {key}"), &[key]);
    }
    folder.refuses("sign model.srp --key rfc.pem --release 0 -o new.sru", &["--release"]);
    folder.refuses("sign model.srp --key rfc.pem -o new.sru", &["--release"]);
    folder.refuses("sign model.srp --key rfc.pem --release 1 -o model.srp", &["model.srp"]);
    folder.refuses("sign model.srp --key rfc.pem --release 1 -o rfc.pem", &["rfc.pem"]);
    folder.refuses("sign model.sru --key rfc.pem --release 1 -o new.sru", &["model.sru"]);
    // No command overwrites a private key, whether it reads it or not.
    folder.text("keygen -o other.pem");
    folder.refuses("sign model.srp --key rfc.pem --release 1 -o other.pem", &["other.pem", "private key"]);
    folder.refuses("export model.srp -o other.pem", &["other.pem"]);
    folder.refuses("score model.srp data.csv -o other.pem", &["other.pem", "private key"]);
    for (name, words) in [
        ("model.srp", "not an update"),
        ("cut.sru", "1 bytes of the update are missing"),
        ("short.sru", "are missing"),
        ("head.sru", "are missing"),
        ("long.sru", "longer than its header says"),
        ("table.sru", "checksum"),
        ("release.sru", "not an update"),
        ("signature.sru", "signature"),
        ("absent.sru", "cannot be read"),
    ] {
        folder.refuses(&format!("verify {name} --key {DIGITS}"), &[name, words]);
    }
    folder.refuses(&format!("verify model.sru --key {DIGITS} --model other.srp"), &["model.sru", "another table"]);
}

#[test]
fn a_table_that_the_firmware_does_not_take_is_not_signed() {
    let folder = with_update();
    folder.text("fit data.csv --label label --false-alarm 0.05 --like model.srp --seed 3 -o same.srp");
    folder.text("fit data.csv --label label --false-alarm 0.05 --like model.srp --views 1 -o views.srp");
    folder.text("fit data.csv --label label --false-alarm 0.05 --ignore humid -o narrow.srp");
    folder.text("sign same.srp --like model.srp --key rfc.pem --release 8 -o new.sru");
    std::fs::remove_file(folder.path("new.sru")).expect("it was written");
    let sign = |model: &str| format!("sign {model} --like model.srp --key rfc.pem --release 8 -o new.sru");
    folder.refuses(&sign("views.srp"), &["views.srp", "ViewTable<", "capacities"]);
    folder.refuses(&sign("narrow.srp"), &["narrow.srp", "--like model.srp"]);
}
