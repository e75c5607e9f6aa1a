//! Input and output of the selection: settings that the user fixes, the budget of a model, and the selected model.

use serde::Serialize;
use surprisal::Activation;

use crate::error::Error;
use crate::fit::Family;
use crate::fit::optimizer::OptimizerChoices;
use crate::model::FloatModel;
use crate::order::Order;
use crate::schema::Schema;
use crate::table::OwnedTable;

/// Settings of a fit that the user fixes. The selection chooses the settings that are `None`.
#[derive(Clone, Debug)]
pub struct Choices {
    /// Family of the model.
    pub family: Family,
    /// Method that determines the order of the columns.
    pub order: Order,
    /// Smallest gain of a tree split, in nats of the training set.
    pub gamma: Option<f64>,
    /// L1 penalty of logistic regressions in nats of the training set, pseudo-count of trees alone and of mixtures in
    /// rows, or learning rate of boosting.
    pub strength: Option<f64>,
    /// Number of components of a mixture of trees.
    pub components: Option<usize>,
    /// Number of views of outcome tables, 1 or 2.
    pub views: Option<usize>,
    /// Number of prototypes of the second view of outcome tables.
    pub prototypes: Option<usize>,
    /// Coefficient of the penalty Σw²/2 on weights, in nats of the training set.
    pub l2: f64,
    /// Seed of all random numbers of the fit.
    pub seed: u64,
    /// Settings of hidden layers that the user fixes.
    pub layer: LayerChoices,
    /// Settings of the optimizer of hidden layers that the user fixes.
    pub optimizer: OptimizerChoices,
}

/// Settings of hidden layers that the user fixes. The selection chooses the settings that are `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LayerChoices {
    /// Number of hidden units.
    pub units: Option<usize>,
    /// Activation function of the hidden units.
    pub activation: Option<Activation>,
    /// Fraction of hidden units that are dropped for each row during training.
    pub dropout: Option<f32>,
    /// Fraction of the one bits of each row that are dropped from the layer's input during training.
    pub input_dropout: Option<f32>,
    /// Number of random starts for each size of layer.
    pub restarts: Option<usize>,
    /// Whether a layer is fitted on top of the fixed logits of the best conditionals. Otherwise, the logits of a
    /// separately fitted layer are averaged with the logits of conditionals.
    pub offset: bool,
}

/// Limits that a model must not exceed.
pub struct Budget<'a> {
    /// Largest size of the `.srp` file, in bytes.
    pub flash: usize,
    /// Number of bytes that a `.srp` file may take beyond its size under this limit if the limit is larger.
    pub spare: usize,
    /// Largest size of a row and its state during scoring, in bytes.
    pub ram: usize,
    /// Largest number of additions, multiplications and tree steps per row.
    pub operations: usize,
    /// Function that returns the bytes of notes and calibration that a `.srp` file with a recipe adds to the table.
    pub overhead: &'a Overhead<'a>,
}

impl Budget<'_> {
    /// Returns the options whose limits a model exceeds, each with the smallest value that is enough.
    pub(super) fn exceeded(&self, bytes: usize, state: usize, operations: usize) -> Vec<(&'static str, usize)> {
        let sizes = [
            ("--flash", bytes, self.flash, self.spare),
            ("--ram", state, self.ram, 0),
            ("--ops", operations, self.operations, 0),
        ];
        let exceeded = sizes.into_iter().filter(|(_, size, limit, _)| size > limit);
        exceeded.map(|(option, size, _, spare)| (option, size + spare)).collect()
    }
}

/// Returns the error that the smallest model exceeds limits: (option, smallest value that is enough) of each. `how` tells how to
/// leave out columns.
pub(crate) fn over_limit(model: &str, exceeded: &[(&'static str, usize)], how: &str) -> Error {
    let each: Vec<String> = exceeded.iter().map(|(option, enough)| format!("{option} {enough}")).collect();
    let message =
        format!("the smallest {model} needs more; pass at least {}, or leave out columns {how}", each.join(" and "));
    Error::option(exceeded.first().map_or("--flash", |(option, _)| option), message)
}

/// Function that returns the size of a file's notes and calibration in bytes, given the model's recipe.
type Overhead<'a> = dyn Fn(&Recipe) -> usize + Sync + 'a;

/// Order, settings and terms of a model, as the notes of a `.srp` file record them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recipe {
    /// Name of the order, for example `natural`, `learned`, or the path of the order file.
    pub order: String,
    /// (smallest gain of a split, strength), or `None` if the settings differ between bits.
    pub setting: Option<(f64, f64)>,
    /// Description of the model's terms, if the settings do not determine them.
    pub terms: Option<String>,
}

impl Default for Choices {
    fn default() -> Self {
        let (family, order) = Default::default();
        Self {
            family,
            order,
            gamma: None,
            strength: None,
            components: None,
            views: None,
            prototypes: None,
            l2: 0.3,
            seed: 0,
            layer: Default::default(),
            optimizer: Default::default(),
        }
    }
}

/// The model within the budget that predicts the validation rows best.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Schema with its columns in model order.
    pub schema: Schema,
    /// Fitted model before quantisation.
    pub model: FloatModel,
    /// Quantised model, whose detector is not calibrated yet.
    pub table: OwnedTable,
    /// Order, settings and terms of the model.
    pub recipe: Recipe,
    /// Mean log-likelihood of the validation rows under the float model, in nats per row, without log-widths.
    pub valid_ll: f64,
    /// Size of the `.srp` file, in bytes.
    pub bytes: usize,
    /// The best candidate in this order of the columns, if it exceeds the budget.
    pub excluded: Option<Excluded>,
    /// Orders of the columns that were compared, each by one fit with medium settings.
    pub orders: Vec<OrderTrial>,
}

/// Validation log-likelihood of one fit with medium settings in one order of the columns.
#[derive(Clone, Debug, Serialize)]
pub struct OrderTrial {
    /// Name of the order of the columns, for example `learned`.
    pub order: String,
    /// Mean log-likelihood of the validation rows, in nats per row, without log-widths.
    pub valid_ll: f64,
}

/// The best candidate of a fit, if it exceeds the limits of flash, RAM or operations.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Excluded {
    /// Log-likelihood of a validation row under the candidate minus that under the chosen model, in nats.
    pub nats: f64,
    /// Size of the candidate's file, in bytes.
    pub file_bytes: usize,
    /// Largest number of operations that the candidate takes per row.
    pub operations: usize,
}
