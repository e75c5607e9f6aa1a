//! Tables on the host: the owned slices of a [`surprisal::Table`], and its bytes.

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

/// A table with owned slices.
#[derive(Clone, Debug, Default)]
pub struct OwnedTable {
    /// The columns.
    pub encoder: EncoderTable,
    /// `[bit]`: one [`Constraint::raw`](surprisal::Constraint::raw) per bit, or none if all bits are free.
    pub constraints: Vec<u16>,
    /// The linear rows.
    pub linear: LinearTable,
    /// The trees.
    pub trees: ForestTable,
    /// The hidden layer; without units if there is none.
    pub hidden: HiddenTable,
    /// The mixture; without components if there is none.
    pub mixture: MixtureTable,
    /// The detector; off until the table is calibrated.
    pub calibration: Calibration,
    /// The predictor; empty for rows that do not depend on earlier ones.
    pub predictor: PredictorTable,
}

/// The owned storage of a [`Forest`], with the fields of [`ForestSlices`].
#[derive(Clone, Debug, Default)]
pub struct ForestTable {
    /// The low bits of a split word that name the tested bit.
    pub feature_bits: u16,
    /// `[bit]`: the first split of each bit's trees, one more than bits.
    pub starts: Vec<u16>,
    /// The splits of all trees.
    pub splits: Vec<u16>,
    /// The leaves of all trees.
    pub leaves: Vec<i8>,
    /// `[bit]`: the value of a leaf unit, in units of 1/65536 nat.
    pub scales: Vec<u16>,
}

impl ForestTable {
    /// Returns the device crate's term over these slices.
    ///
    /// # Errors
    /// [`TableError`] if the slices do not fit each other.
    pub fn view(&self) -> Result<Forest<'_>, TableError> {
        let Self { feature_bits, starts, splits, leaves, scales } = self;
        Forest::new(ForestSlices { feature_bits: *feature_bits, starts, splits, leaves, scales })
    }
}

impl OwnedTable {
    /// Returns the device crate's table over these slices.
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

    /// Returns the capacities that the table needs.
    pub fn shape(&self) -> Shape {
        Shape {
            bits: self.linear.biases.len().max(self.mixture.parents.len()),
            units: self.hidden.biases.len(),
            components: self.mixture.priors.len(),
        }
    }

    /// Returns the additions, multiplications and tree steps that a row takes at most.
    ///
    /// # Errors
    /// [`TableError`] if the table exceeds [`Shape::LARGEST`].
    pub fn operations(&self) -> Result<usize, TableError> {
        Ok(cost::Cost::of(&self.largest()?).operations())
    }

    /// Returns the bytes of the table, as in a `.srp` file.
    ///
    /// # Errors
    /// [`TableError`] if the table exceeds [`Shape::LARGEST`].
    pub fn bytes(&self) -> Result<Vec<u8>, TableError> {
        let mut bytes = Vec::new();
        self.largest()?.write(|piece| bytes.extend_from_slice(piece));
        Ok(bytes)
    }

    /// Returns the table with the largest capacities.
    fn largest(
        &self,
    ) -> Result<Table<'_, { Shape::LARGEST.bits }, { Shape::LARGEST.units }, { Shape::LARGEST.components }>, TableError>
    {
        self.view()
    }
}
