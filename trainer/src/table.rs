//! Tables on the host: owned storage for the slices of a [`surprisal::Table`], and its conversion to bytes.

use surprisal::{Forest, ForestSlices, Table, TableError, Terms};

use crate::calibrate::Calibration;
use crate::predictor::PredictorTable;
use crate::schema::EncoderTable;
use crate::shape::Shape;

pub mod cost;
pub mod hidden;
pub mod linear;
pub mod loss;
pub mod mixture;
pub mod quantise;

use hidden::HiddenTable;
use linear::LinearTable;
use mixture::MixtureTable;

/// Owned storage for the slices of a [`surprisal::Table`].
#[derive(Clone, Debug, Default)]
pub struct OwnedTable {
    /// Encoder, which converts the readings of each column to bits.
    pub encoder: EncoderTable,
    /// [`Constraint::raw`](surprisal::Constraint::raw) of each bit: `[bit]`. Empty if no bit has a constraint.
    pub constraints: Vec<u16>,
    /// Linear term of the logits: biases and weights.
    pub linear: LinearTable,
    /// Tree term of the logits.
    pub trees: ForestTable,
    /// Hidden-layer term of the logits; it has no units if the model has no hidden layer.
    pub hidden: HiddenTable,
    /// Mixture term of the logits; it has no components if the model has no mixture.
    pub mixture: MixtureTable,
    /// Calibration of the detector, which is off until the table is calibrated.
    pub calibration: Calibration,
    /// Predictor of a time series; empty if rows do not depend on earlier rows.
    pub predictor: PredictorTable,
}

/// Owned storage of a [`Forest`], with the fields of [`ForestSlices`].
#[derive(Clone, Debug, Default)]
pub struct ForestTable {
    /// Number of low bits of a split word that hold the index of the tested bit.
    pub feature_bits: u16,
    /// Index of the first split of each bit's trees, `[bit]`, followed by the number of splits.
    pub starts: Vec<u16>,
    /// Split words of all trees in preorder: the tested bit, and above it the number of splits in the left subtree.
    pub splits: Vec<u16>,
    /// Leaf values of all trees, in units of the bit's element of `scales`.
    pub leaves: Vec<i8>,
    /// Value of one leaf unit for each bit, in units of 1/65536 nat: `[bit]`.
    pub scales: Vec<u16>,
}

impl ForestTable {
    /// Returns the tree term of the device crate, which borrows these slices.
    ///
    /// # Errors
    /// [`TableError`] if the slices do not fit each other.
    pub fn view(&self) -> Result<Forest<'_>, TableError> {
        let Self { feature_bits, starts, splits, leaves, scales } = self;
        Forest::new(ForestSlices { feature_bits: *feature_bits, starts, splits, leaves, scales })
    }
}

impl OwnedTable {
    /// Returns the table of the device crate, which borrows these slices.
    ///
    /// # Errors
    /// [`TableError`] if the slices do not fit each other, or exceed the capacities N, H and K.
    pub fn view<const N: usize, const H: usize, const K: usize>(&self) -> Result<Table<'_, N, H, K>, TableError> {
        let terms = Terms {
            linear: self.linear.view()?,
            trees: self.trees.view()?,
            hidden: self.hidden.view()?,
            mixture: self.mixture.view()?,
        };
        let model = surprisal::Model::new(terms, &self.constraints, self.shape().bits)?;
        let table = Table::new(self.encoder.view(), model, self.calibration.view());
        Ok(table.with_predictor(self.predictor.view()))
    }

    /// Returns the capacities N, H and K that the table needs.
    pub fn shape(&self) -> Shape {
        Shape {
            bits: self.linear.biases.len().max(self.mixture.parents.len()),
            units: self.hidden.biases.len(),
            components: self.mixture.priors.len(),
            views: 0,
        }
    }

    /// Returns the largest number of additions, multiplications and tree steps that scoring one row takes.
    ///
    /// # Errors
    /// [`TableError`] if the table exceeds [`Shape::LARGEST`].
    pub fn operations(&self) -> Result<usize, TableError> {
        Ok(cost::Cost::of(&self.largest()?).operations())
    }

    /// Returns the table as bytes, in the format of a `.srp` file without notes.
    ///
    /// # Errors
    /// [`TableError`] if the table exceeds [`Shape::LARGEST`].
    pub fn bytes(&self) -> Result<Vec<u8>, TableError> {
        let mut bytes = Vec::new();
        self.largest()?.write(|piece| bytes.extend_from_slice(piece));
        Ok(bytes)
    }

    /// Returns the table with the capacities of [`Shape::LARGEST`].
    fn largest(
        &self,
    ) -> Result<Table<'_, { Shape::LARGEST.bits }, { Shape::LARGEST.units }, { Shape::LARGEST.components }>, TableError>
    {
        self.view()
    }
}
