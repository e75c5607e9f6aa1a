//! The door for generated code: the only items that the Rust source of `surprisal export` uses.
//!
//! Each module is frozen. A library that adds a section or a calibration number keeps the module as it is, fills in
//! defaults, and adds a module for new exports. So files in users' repositories compile with every later library.
//! Layouts 1 to 3 called the constructors of the library directly and have no module.

/// The fourth layout of exported source.
pub mod v4 {
    use crate::detector::{Detector, WORDS};
    use crate::encoder::{Encoder, EncoderSlices};
    use crate::error::TableError;
    use crate::model::Model;
    use crate::predictor::{Predictor, PredictorSlices};
    use crate::table::Table;
    use crate::term::{
        Activation, Forest, ForestSlices, Linear, LinearSlices, LinearWeights, Mixture, MixtureSlices, Nade,
        NadeSlices, Terms,
    };

    /// The sections of a table, named as in `docs/format.md`. Sections that are left out are empty.
    #[derive(Clone, Copy, Debug)]
    pub struct Source<'t> {
        /// The bits of a row.
        pub bits: usize,
        /// See [`EncoderSlices::columns`].
        pub encoder_columns: &'t [u16],
        /// See [`EncoderSlices::values`].
        pub encoder_values: &'t [i32],
        /// See [`EncoderSlices::log_widths`].
        pub encoder_log_widths: &'t [u16],
        /// `[bit]`: see [`Constraint::raw`](crate::Constraint::raw).
        pub constraints: &'t [u16],
        /// See [`LinearSlices::biases`].
        pub linear_biases: &'t [i16],
        /// See [`LinearSlices::scales`].
        pub linear_scales: &'t [u16],
        /// See [`LinearWeights::Dense`].
        pub linear_dense: &'t [i8],
        /// See [`LinearWeights::Sparse`]. If empty, the weights are dense.
        pub linear_starts: &'t [u16],
        /// See [`LinearWeights::Sparse`].
        pub linear_entries: &'t [[u8; 2]],
        /// See [`ForestSlices::feature_bits`].
        pub tree_feature_bits: u16,
        /// See [`ForestSlices::starts`].
        pub tree_starts: &'t [u16],
        /// See [`ForestSlices::splits`].
        pub tree_splits: &'t [u16],
        /// See [`ForestSlices::leaves`].
        pub tree_leaves: &'t [i8],
        /// See [`ForestSlices::scales`].
        pub tree_scales: &'t [u16],
        /// The code of the activation, as in the format.
        pub hidden_activation: u32,
        /// See [`NadeSlices::shift`].
        pub hidden_shift: u32,
        /// See [`NadeSlices::biases`].
        pub hidden_biases: &'t [i16],
        /// See [`NadeSlices::gains`].
        pub hidden_gains: &'t [u16],
        /// See [`NadeSlices::inputs`].
        pub hidden_inputs: &'t [i8],
        /// See [`NadeSlices::outputs`].
        pub hidden_outputs: &'t [i8],
        /// See [`NadeSlices::scales`].
        pub hidden_scales: &'t [u16],
        /// See [`MixtureSlices::priors`].
        pub mixture_priors: &'t [u16],
        /// See [`MixtureSlices::parents`].
        pub mixture_parents: &'t [[u8; 2]],
        /// See [`MixtureSlices::logits`].
        pub mixture_logits: &'t [i8],
        /// The calibration words, in the order of the format. Words that are missing at the end take their defaults.
        pub calibration: &'t [u32],
        /// See [`Detector::quantiles`].
        pub quantiles: &'t [u32],
        /// See [`Detector::baselines`].
        pub baselines: &'t [u16],
        /// See [`PredictorSlices::words`].
        pub predictor_words: &'t [i32],
        /// See [`PredictorSlices::weights`].
        pub predictor_weights: &'t [i16],
    }

    impl Source<'_> {
        /// A source without any section.
        pub const EMPTY: Self = Self {
            bits: 0,
            encoder_columns: &[],
            encoder_values: &[],
            encoder_log_widths: &[],
            constraints: &[],
            linear_biases: &[],
            linear_scales: &[],
            linear_dense: &[],
            linear_starts: &[],
            linear_entries: &[],
            tree_feature_bits: 1,
            tree_starts: &[],
            tree_splits: &[],
            tree_leaves: &[],
            tree_scales: &[],
            hidden_activation: 0,
            hidden_shift: 0,
            hidden_biases: &[],
            hidden_gains: &[],
            hidden_inputs: &[],
            hidden_outputs: &[],
            hidden_scales: &[],
            mixture_priors: &[],
            mixture_parents: &[],
            mixture_logits: &[],
            calibration: &[],
            quantiles: &[],
            baselines: &[],
            predictor_words: &[],
            predictor_weights: &[],
        };
    }

    /// Checks the sections and returns their table, at compile time.
    ///
    /// # Errors
    /// [`TableError`] if a section does not fit the others, or does not fit the capacities N, H and K.
    pub const fn table<'t, const N: usize, const H: usize, const K: usize>(
        source: Source<'t>,
    ) -> Result<Table<'t, N, H, K>, TableError> {
        let weights = match source.linear_starts {
            [] => LinearWeights::Dense(source.linear_dense),
            starts => LinearWeights::Sparse { starts, entries: source.linear_entries },
        };
        let Some(activation) = Activation::from_code(source.hidden_activation) else {
            return Err(TableError::Inconsistent("activation"));
        };
        let linear = LinearSlices { biases: source.linear_biases, scales: source.linear_scales, weights };
        let trees = ForestSlices {
            feature_bits: source.tree_feature_bits,
            starts: source.tree_starts,
            splits: source.tree_splits,
            leaves: source.tree_leaves,
            scales: source.tree_scales,
        };
        let hidden = NadeSlices {
            activation,
            shift: source.hidden_shift,
            biases: source.hidden_biases,
            gains: source.hidden_gains,
            inputs: source.hidden_inputs,
            outputs: source.hidden_outputs,
            scales: source.hidden_scales,
        };
        let mixture = MixtureSlices {
            priors: source.mixture_priors,
            parents: source.mixture_parents,
            logits: source.mixture_logits,
        };
        let encoder = EncoderSlices {
            columns: source.encoder_columns,
            values: source.encoder_values,
            log_widths: source.encoder_log_widths,
        };
        let predictor = PredictorSlices { words: source.predictor_words, weights: source.predictor_weights };
        let terms = match (Linear::new(linear), Forest::new(trees), Nade::new(hidden), Mixture::new(mixture)) {
            (Ok(linear), Ok(trees), Ok(hidden), Ok(mixture)) => Terms { linear, trees, hidden, mixture },
            (Err(error), ..) | (_, Err(error), ..) | (.., Err(error), _) | (.., Err(error)) => return Err(error),
        };
        let detector = Detector::from_words(&calibration(source.calibration), source.quantiles, source.baselines);
        match (Model::new(terms, source.constraints, source.bits), detector.check(), Predictor::new(predictor)) {
            (Ok(model), Ok(detector), Ok(predictor)) => {
                Ok(Table::new(Encoder::new(encoder), model, detector).with_predictor(predictor))
            }
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(error),
        }
    }

    /// Returns all calibration words: the given ones, then the defaults of the rest.
    const fn calibration(mut given: &[u32]) -> [u32; WORDS] {
        let mut words = Detector::OFF.words();
        let mut left: &mut [u32] = &mut words;
        while let (Some((word, rest)), Some((value, values))) = (left.split_first_mut(), given.split_first()) {
            *word = *value;
            (left, given) = (rest, values);
        }
        words
    }
}
