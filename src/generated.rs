//! The entry point of generated code: the only items that the Rust source of `surprisal export` uses.
//!
//! Each module is one version of the layout of exported source, and never changes. A later library that adds a section
//! or a calibration number fills in defaults here, and adds a module for new exports, so that exported files compile
//! with every later library. Layouts 1 to 3 called the constructors of the library directly and have no module.

/// Layout 4 of exported source: a [`Source`](v4::Source) of sections and the function that builds the table.
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

    /// The sections of a table, named as in `docs/format.md`. Sections that an exported file omits are empty, by
    /// `..Source::EMPTY`.
    #[derive(Clone, Copy, Debug)]
    pub struct Source<'t> {
        /// The number of bits of a row.
        pub bits: usize,
        /// The words of all columns, see [`EncoderSlices::columns`].
        pub encoder_columns: &'t [u16],
        /// The edges and codes of all columns, see [`EncoderSlices::values`].
        pub encoder_values: &'t [i32],
        /// The log-widths of all numeric columns, see [`EncoderSlices::log_widths`].
        pub encoder_log_widths: &'t [u16],
        /// `[bit]`: the constraints as words, see [`Constraint::raw`](crate::Constraint::raw). Empty if no bit has a
        /// constraint.
        pub constraints: &'t [u16],
        /// The biases of the linear term, see [`LinearSlices::biases`].
        pub linear_biases: &'t [i16],
        /// The scales of the linear term, see [`LinearSlices::scales`].
        pub linear_scales: &'t [u16],
        /// The dense weights of the linear term, see [`LinearWeights::Dense`]. Ignored if the weights are sparse.
        pub linear_dense: &'t [i8],
        /// The starts of the sparse weights, see [`LinearWeights::Sparse`]. If empty, the weights are dense.
        pub linear_starts: &'t [u16],
        /// The entries of the sparse weights, see [`LinearWeights::Sparse`].
        pub linear_entries: &'t [[u8; 2]],
        /// The number of bits of a split word that name the tested bit, see [`ForestSlices::feature_bits`].
        pub tree_feature_bits: u16,
        /// The starts of the trees of each bit, see [`ForestSlices::starts`].
        pub tree_starts: &'t [u16],
        /// The split words of all trees, see [`ForestSlices::splits`].
        pub tree_splits: &'t [u16],
        /// The leaves of all trees, see [`ForestSlices::leaves`].
        pub tree_leaves: &'t [i8],
        /// The scales of the leaves, see [`ForestSlices::scales`].
        pub tree_scales: &'t [u16],
        /// The code of the hidden layer's activation, see [`Activation::code`].
        pub hidden_activation: u32,
        /// The shift of the hidden layer, see [`NadeSlices::shift`].
        pub hidden_shift: u32,
        /// The biases of the hidden units, see [`NadeSlices::biases`].
        pub hidden_biases: &'t [i16],
        /// The gains of sigmoid units, see [`NadeSlices::gains`].
        pub hidden_gains: &'t [u16],
        /// The input weights of the hidden layer, see [`NadeSlices::inputs`].
        pub hidden_inputs: &'t [i8],
        /// The output weights of the hidden layer, see [`NadeSlices::outputs`].
        pub hidden_outputs: &'t [i8],
        /// The scales of the hidden layer, see [`NadeSlices::scales`].
        pub hidden_scales: &'t [u16],
        /// The priors of the mixture, see [`MixtureSlices::priors`].
        pub mixture_priors: &'t [u16],
        /// The parents and edge strengths of the mixture, see [`MixtureSlices::parents`].
        pub mixture_parents: &'t [[u8; 2]],
        /// The codes of the mixture's logits, see [`MixtureSlices::logits`].
        pub mixture_logits: &'t [i8],
        /// The calibration numbers, see [`Detector::words`]. Numbers that are absent at the end have their defaults, as
        /// in [`Detector::OFF`].
        pub calibration: &'t [u32],
        /// The quantiles of the anomaly score, see [`Detector::quantiles`].
        pub quantiles: &'t [u32],
        /// The baselines of the columns, see [`Detector::baselines`].
        pub baselines: &'t [u16],
        /// The words of the predictor, see [`PredictorSlices::words`].
        pub predictor_words: &'t [i32],
        /// The weights of the predictor, see [`PredictorSlices::weights`].
        pub predictor_weights: &'t [i16],
    }

    impl Source<'_> {
        /// A source in which every section is empty.
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

    /// Creates a table from its sections, in a constant expression.
    ///
    /// Each term, the constraints, the detector and the predictor are checked by their constructors. Unlike
    /// [`Table::from_bytes`], this function does not check that the encoder and all terms have `bits` bits, that there
    /// is one baseline per column, and that columns are observed as a whole: the exporter ensures it.
    ///
    /// # Errors
    /// [`TableError`] if the sections of a term do not fit each other, or exceed the capacities N, H and K.
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

    /// Returns all calibration words, see [`Detector::words`]: the words in `given`, then defaults for the missing words.
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
