//! Checks that a journal returns the layers it keeps, and that no damage of the file leads to a panic or a wrong layer.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::Activation;
use surprisal_trainer::error::Error;
use surprisal_trainer::fit::layer::LayerSettings;
use surprisal_trainer::fit::nade::LayerShape;
use surprisal_trainer::fit::optimizer::Optimizer;
use surprisal_trainer::journal::Journal;
use surprisal_trainer::model::{FloatModel, HiddenLayer};
use tempfile::TempDir;

const BITS: usize = 3;
const CONSTRAINTS: [u16; BITS] = [7; BITS];
const KEY: &str = "rows of a test";
const ACTIVATIONS: [Activation; 3] = [Activation::Relu, Activation::Sigmoid, Activation::Identity];

fn settings(seed: u64) -> LayerSettings {
    let activation = ACTIVATIONS[seed as usize % ACTIVATIONS.len()];
    LayerSettings {
        shape: LayerShape { units: 2 + seed as usize, activation, dropout: 0.0, input_dropout: 0.0 },
        optimizer: Optimizer { seed, ..Optimizer::default() },
    }
}

/// Draws the layer that settings describe. Its likelihood is minus the seed.
fn layer(settings: &LayerSettings) -> (FloatModel, f64) {
    let seed = settings.optimizer.seed;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut some = |count: usize| -> Vec<f32> { (0..count).map(|_| random.random_range(-2.0..2.0)).collect() };
    let units = settings.shape.units;
    let hidden = HiddenLayer {
        activation: settings.shape.activation,
        biases: some(units),
        inputs: some(BITS * units),
        outputs: some(BITS * units),
    };
    (FloatModel::of_layer(hidden, &some(BITS), &CONSTRAINTS), -(seed as f64))
}

fn keep(journal: &Journal, seed: u64) {
    let (model, valid_ll) = layer(&settings(seed));
    journal.keep(KEY, &settings(seed), &model, valid_ll);
}

/// Returns whether the journal knows the layer. A layer that it returns must be the one that it was given.
fn knows(journal: &Journal, seed: u64) -> bool {
    let found = journal.recall(KEY, &settings(seed), &CONSTRAINTS);
    found.inspect(|found| assert_eq!(format!("{found:?}"), format!("{:?}", layer(&settings(seed))))).is_some()
}

fn three_layers() -> (TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = Journal::beside(&folder.path().join("model.srp"));
    let journal = Journal::open(&path).expect("a new file");
    assert!(journal.is_empty());
    (0..3).for_each(|seed| keep(&journal, seed));
    let bytes = std::fs::read(&path).expect("it was written");
    (folder, path, bytes)
}

#[test]
fn a_journal_returns_the_layers_that_it_keeps() {
    let (_folder, path, bytes) = three_layers();
    let journal = Journal::open(&path).expect("it is a journal");
    assert!(journal.len() == 3 && (0..3).all(|seed| knows(&journal, seed)) && !knows(&journal, 3));
    assert!(journal.recall("other rows", &settings(0), &CONSTRAINTS).is_none());
    journal.keep(KEY, &settings(4), &FloatModel::default(), -1.0);
    assert_eq!(std::fs::read(&path).expect("a file"), bytes, "a model without a layer is not kept");
    journal.remove_if_empty();
    assert!(path.exists());
    journal.remove();
    assert!(!path.exists());
}

#[test]
fn a_journal_without_layers_is_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new");
    Journal::open(&path).expect("a new file").remove_if_empty();
    assert!(!path.exists());
}

#[test]
fn a_journal_continues_wherever_it_was_cut() {
    let (_folder, path, bytes) = three_layers();
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).expect("it can be written");
        let journal = Journal::open(&path).expect("it is a journal");
        let lines = bytes[..length].iter().filter(|&&byte| byte == b'\n').count();
        let complete = bytes[length] == b'\n';
        assert_eq!(journal.len(), (lines + usize::from(complete)).saturating_sub(1), "{length} bytes");
        keep(&journal, 5);
        let journal = Journal::open(&path).expect("it is a journal");
        assert!(knows(&journal, 5), "{length} bytes");
    }
}

proptest! {
    #[test]
    fn no_changed_byte_changes_a_layer(at in 0.0..1.0, byte: u8, count in 1usize..4) {
        let (_folder, path, mut bytes) = three_layers();
        let start = (at * bytes.len() as f64) as usize;
        let end = bytes.len().min(start + count);
        bytes[start..end].fill(byte);
        std::fs::write(&path, &bytes).expect("it can be written");
        match Journal::open(&path) {
            Ok(journal) => prop_assert!((0..3).filter(|&seed| knows(&journal, seed)).count() >= 1),
            Err(error) => {
                prop_assert!(matches!(error, Error::Input { .. }), "{error}");
                prop_assert_eq!(std::fs::read(&path).expect("a file"), bytes);
            }
        }
    }
}

/// A line with a true checksum, from a stranger who knows the format, must still describe a layer of the search.
#[test]
fn a_layer_of_another_size_is_not_returned() {
    let (_folder, path, _) = three_layers();
    let wanted = settings(7);
    let (model, _) = layer(&wanted);
    let forge = |change: &dyn Fn(&mut FloatModel, &mut f64)| {
        let (mut forged, mut valid_ll) = (model.clone(), -1.0);
        change(&mut forged, &mut valid_ll);
        Journal::open(&path).expect("a journal").keep(KEY, &wanted, &forged, valid_ll);
        Journal::open(&path).expect("a journal").recall(KEY, &wanted, &CONSTRAINTS).is_some()
    };
    fn hidden(model: &mut FloatModel) -> &mut HiddenLayer {
        model.hidden.as_mut().expect("a layer")
    }
    assert!(forge(&|_, _| ()));
    assert!(!forge(&|model, _| _ = model.conditionals.pop()));
    assert!(!forge(&|model, _| _ = hidden(model).biases.pop()));
    assert!(!forge(&|model, _| _ = hidden(model).inputs.pop()));
    assert!(!forge(&|model, _| hidden(model).outputs.clear()));
    assert!(!forge(&|model, _| hidden(model).outputs.push(0.0)));
    assert!(!forge(&|model, _| hidden(model).outputs[0] = f32::INFINITY));
    assert!(!forge(&|_, valid_ll| *valid_ll = f64::NAN));
}

#[test]
fn a_file_of_something_else_is_refused_and_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    for text in ["\n", "{}", "surprisal search journal 2\n", "surprisal search journal 1 \n", "\0\0"] {
        std::fs::write(&path, text).expect("it can be written");
        let error = Journal::open(&path).expect_err("it is no journal").to_string();
        assert!(error.contains("not a journal") && error.contains("with -o"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), text);
    }
    assert!(matches!(Journal::open(folder.path()), Err(Error::Input { .. })));
    assert!(matches!(Journal::open(Path::new("/no folder/file")), Err(Error::Io { .. })));
}
