//! Input and output of the selection: what the user fixes, what a model may cost, and what is selected.

use serde::Serialize;
use surprisal::Activation;

use crate::fit::Family;
use crate::fit::optimizer::OptimizerChoices;
use crate::model::FloatModel;
use crate::order::Order;
use crate::schema::Schema;
use crate::table::OwnedTable;

/// Settings that the user fixes. The selection chooses those that are `None`.
#[derive(Clone, Debug)]
pub struct Choices {
    /// Form of the model.
    pub family: Family,
    /// Source of the order of the columns.
    pub order: Order,
    /// Least gain of a tree split, in nats of the training set.
    pub gamma: Option<f64>,
    /// L1 penalty of logistic regressions in nats of the training set, pseudo-count of trees alone and of mixtures in
    /// rows, or learning rate of boosting.
    pub strength: Option<f64>,
    /// Number of components of a mixture.
    pub components: Option<usize>,
    /// Coefficient of the penalty Σw²/2 on weights, in nats of the training set.
    pub l2: f64,
    /// Seed of all random numbers of the fit.
    pub seed: u64,
    /// Settings of hidden layers.
    pub layer: LayerChoices,
    /// Settings of the optimizer of hidden layers.
    pub optimizer: OptimizerChoices,
}

/// Settings of hidden layers that the user fixes.
#[derive(Clone, Copy, Debug, Default)]
pub struct LayerChoices {
    /// Number of units.
    pub units: Option<usize>,
    /// Activation of the units.
    pub activation: Option<Activation>,
    /// Fraction of units that are dropped for each row during training.
    pub dropout: Option<f32>,
    /// Fraction of ones that are dropped from the layer's input for each row during training.
    pub input_dropout: Option<f32>,
    /// Number of random starts for each number of units.
    pub restarts: Option<usize>,
    /// Whether layers are fitted on top of the best conditionals, whose logits stay fixed, instead of averaged with
    /// them.
    pub offset: bool,
}

/// Limits that a model must not exceed.
pub struct Budget<'a> {
    /// Largest size of the file, in bytes.
    pub flash: usize,
    /// Largest size of a row and its state during scoring, in bytes.
    pub ram: usize,
    /// Largest number of additions, multiplications and tree steps per row.
    pub operations: usize,
    /// Number of bytes that a file with a recipe has in addition to the table: its notes and its calibration.
    pub overhead: &'a Overhead<'a>,
}

/// Function of [`Budget::overhead`].
type Overhead<'a> = dyn Fn(&Recipe) -> usize + Sync + 'a;

/// Settings and components of a model, as the notes of a file record them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recipe {
    /// Name of the order, for example `natural`, `learned`, or the path of the order file.
    pub order: String,
    /// Least gain of a split and strength, or `None` if the settings differ between bits.
    pub setting: Option<(f64, f64)>,
    /// Description of the model's terms, if the settings do not determine them.
    pub parts: Option<String>,
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
            l2: 0.3,
            seed: 0,
            layer: Default::default(),
            optimizer: Default::default(),
        }
    }
}

/// The model that predicts the validation rows best, of those within the budget.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Schema with its columns in model order.
    pub schema: Schema,
    /// Fitted model in floats.
    pub model: FloatModel,
    /// Quantised model, not calibrated yet.
    pub table: OwnedTable,
    /// Settings and components of the model.
    pub recipe: Recipe,
    /// Mean log-likelihood of the validation rows under the float model, in nats, without log-widths.
    pub valid_ll: f64,
    /// Size of the file, in bytes.
    pub bytes: usize,
    /// Orders that were compared, each by one fit with medium settings.
    pub orders: Vec<OrderTrial>,
}

/// Result of one fit with medium settings in one order of the columns.
#[derive(Clone, Debug, Serialize)]
pub struct OrderTrial {
    /// Name of the order.
    pub order: String,
    /// Mean log-likelihood of the validation rows, in nats, without log-widths.
    pub valid_ll: f64,
}
