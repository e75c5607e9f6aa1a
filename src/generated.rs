//! The entry point of generated code: the only items that the Rust source of `surprisal export` uses.
//!
//! Each module is one version of the layout of exported source, and never changes. A later library that adds a section
//! or a calibration number fills in defaults here, and adds a module for new exports, so that exported files compile
//! with every later library. Layouts 1 to 3 called the constructors of the library directly and have no module.

/// Layout 5 of exported source: a [`Source`](v5::Source) or [`ViewsSource`](v5::ViewsSource) of sections, and the
/// functions that build a table from them.
pub mod v5 {
    use crate::detector::{Detector, WORDS};
    use crate::encoder::{Encoder, EncoderSlices};
    use crate::error::TableError;
    use crate::fingerprint::Fingerprint;
    use crate::model::Model;
    use crate::nats::Nats;
    use crate::outcome_tables::{OutcomeTables, OutcomeTablesSlices};
    use crate::predictor::{Predictor, PredictorSlices};
    use crate::prototypes::{Prototypes, PrototypesSlices};
    use crate::row_schema::RowSchema;
    use crate::table::Table;
    use crate::term::{
        Activation, Forest, ForestSlices, Linear, LinearSlices, LinearWeights, Mixture, MixtureSlices, Nade,
        NadeSlices, Terms,
    };
    use crate::view::View;
    use crate::view_table::ViewTable;

    /// The sections of a table of bits, named as in `docs/format.md`. Sections that an exported file omits are empty, by
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
        /// The number of the fingerprint, see [`RowSchema::fingerprint`].
        pub fingerprint: u32,
        /// The kinds of the readings, see [`RowSchema::kinds`].
        pub reading_kinds: &'t [u8],
        /// The golden rows, see [`RowSchema::golden_readings`].
        pub golden_readings: &'t [u32],
        /// The results of the golden rows, see [`RowSchema::golden_scores`].
        pub golden_scores: &'t [[u32; 2]],
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
            fingerprint: 0,
            reading_kinds: &[],
            golden_readings: &[],
            golden_scores: &[],
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
        let Source { fingerprint, reading_kinds, golden_readings, golden_scores, .. } = source;
        let schema = schema(fingerprint, reading_kinds, golden_readings, golden_scores);
        let model = Model::new(terms, source.constraints, source.bits);
        match (model, detector.check(), Predictor::new(predictor), schema) {
            (Ok(model), Ok(detector), Ok(predictor), Ok(schema)) => {
                let table = Table::new(Encoder::new(encoder), model, detector);
                Ok(table.with_predictor(predictor).with_schema(schema))
            }
            (Err(error), ..) | (_, Err(error), ..) | (.., Err(error), _) | (.., Err(error)) => Err(error),
        }
    }

    /// The sections of a view, named as in `docs/format.md`. Sections that an exported file omits are empty, by
    /// `..ViewSource::EMPTY`.
    #[derive(Clone, Copy, Debug)]
    pub struct ViewSource<'t> {
        /// The words of all columns, see [`EncoderSlices::columns`].
        pub encoder_columns: &'t [u16],
        /// The edges and codes of all columns, see [`EncoderSlices::values`].
        pub encoder_values: &'t [i32],
        /// The log-widths of all numeric columns, see [`EncoderSlices::log_widths`].
        pub encoder_log_widths: &'t [u16],
        /// The columns of the prototypes, see [`PrototypesSlices::columns`]. Empty for a view of the readings themselves.
        pub prototype_columns: &'t [[i32; 4]],
        /// The coordinates of the prototypes, see [`PrototypesSlices::points`].
        pub prototype_points: &'t [i8],
        /// The columns of the outcome tables, see [`OutcomeTablesSlices::columns`].
        pub outcome_columns: &'t [[u16; 3]],
        /// The groups of the parents' outcomes, see [`OutcomeTablesSlices::groups`].
        pub outcome_groups: &'t [u8],
        /// The splits of the trees, see [`OutcomeTablesSlices::splits`].
        pub outcome_splits: &'t [u32],
        /// The rows of cumulative masses, see [`OutcomeTablesSlices::rows`].
        pub outcome_rows: &'t [u16],
        /// The part of the log-width that all rows have in common, in units of 1/65536 nat, see [`View::log_unit`].
        pub log_unit: u32,
        /// The largest usual squared distance from the nearest prototype, see [`View::reach`].
        pub reach: u32,
        /// The baselines of the columns of this view, see [`View::baselines`].
        pub baselines: &'t [u16],
        /// Where the parts of each column begin, see [`View::starts`].
        pub starts: &'t [[u32; 5]],
    }

    impl ViewSource<'_> {
        /// A source in which every section is empty.
        pub const EMPTY: Self = Self {
            encoder_columns: &[],
            encoder_values: &[],
            encoder_log_widths: &[],
            prototype_columns: &[],
            prototype_points: &[],
            outcome_columns: &[],
            outcome_groups: &[],
            outcome_splits: &[],
            outcome_rows: &[],
            log_unit: 0,
            reach: u32::MAX,
            baselines: &[],
            starts: &[],
        };
    }

    /// The sections of a table of V views, named as in `docs/format.md`. Sections that an exported file omits are empty,
    /// by `..ViewsSource::EMPTY`.
    #[derive(Clone, Copy, Debug)]
    pub struct ViewsSource<'t, const V: usize> {
        /// The sections of each view.
        pub views: [ViewSource<'t>; V],
        /// The calibration numbers, as in [`Source::calibration`].
        pub calibration: &'t [u32],
        /// The quantiles of the anomaly score, see [`Detector::quantiles`].
        pub quantiles: &'t [u32],
        /// The baselines of the readings, see [`Detector::baselines`].
        pub baselines: &'t [u16],
        /// The words of the predictor, see [`PredictorSlices::words`].
        pub predictor_words: &'t [i32],
        /// The weights of the predictor, see [`PredictorSlices::weights`].
        pub predictor_weights: &'t [i16],
        /// The number of the fingerprint, see [`RowSchema::fingerprint`].
        pub fingerprint: u32,
        /// The kinds of the readings, see [`RowSchema::kinds`].
        pub reading_kinds: &'t [u8],
        /// The golden rows, see [`RowSchema::golden_readings`].
        pub golden_readings: &'t [u32],
        /// The results of the golden rows, see [`RowSchema::golden_scores`].
        pub golden_scores: &'t [[u32; 2]],
    }

    impl<const V: usize> ViewsSource<'_, V> {
        /// A source in which every section is empty.
        pub const EMPTY: Self = Self {
            views: [ViewSource::EMPTY; V],
            calibration: &[],
            quantiles: &[],
            baselines: &[],
            predictor_words: &[],
            predictor_weights: &[],
            fingerprint: 0,
            reading_kinds: &[],
            golden_readings: &[],
            golden_scores: &[],
        };
    }

    /// Creates a table of views from its sections, in a constant expression.
    ///
    /// The prototypes, the outcome tables, the detector and the predictor are checked by their constructors. Unlike
    /// [`ViewTable::from_bytes`], this function does not check that the parts of a view have the same columns and
    /// outcomes: the exporter ensures it.
    ///
    /// # Errors
    /// [`TableError`] if the sections of a view do not fit each other, if a view has more than C columns, or if there is
    /// no view.
    pub const fn view_table<'t, const C: usize, const V: usize>(
        source: ViewsSource<'t, V>,
    ) -> Result<ViewTable<'t, C, V>, TableError> {
        if V == 0 {
            return Err(TableError::Inconsistent("views"));
        }
        let mut views = [View::EMPTY; V];
        let (mut left, mut sources): (&mut [View], &[ViewSource]) = (&mut views, &source.views);
        while let (Some((slot, rest)), Some((source, others))) = (left.split_first_mut(), sources.split_first()) {
            if source.outcome_columns.len() > C {
                return Err(TableError::TooManyColumns { columns: source.outcome_columns.len() as u16 });
            }
            *slot = match view(source) {
                Ok(view) => view,
                Err(error) => return Err(error),
            };
            (left, sources) = (rest, others);
        }
        let predictor = PredictorSlices { words: source.predictor_words, weights: source.predictor_weights };
        let detector = Detector::from_words(&calibration(source.calibration), source.quantiles, source.baselines);
        let ViewsSource { fingerprint, reading_kinds, golden_readings, golden_scores, .. } = source;
        let schema = schema(fingerprint, reading_kinds, golden_readings, golden_scores);
        match (detector.check(), Predictor::new(predictor), schema) {
            (Ok(detector), Ok(predictor), Ok(schema)) => Ok(ViewTable { views, detector, predictor, schema }),
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(error),
        }
    }

    /// Creates a view from its sections.
    const fn view<'t>(source: &ViewSource<'t>) -> Result<View<'t>, TableError> {
        let prototypes = PrototypesSlices { columns: source.prototype_columns, points: source.prototype_points };
        let tables = OutcomeTablesSlices {
            columns: source.outcome_columns,
            groups: source.outcome_groups,
            splits: source.outcome_splits,
            rows: source.outcome_rows,
        };
        let encoder = EncoderSlices {
            columns: source.encoder_columns,
            values: source.encoder_values,
            log_widths: source.encoder_log_widths,
        };
        if source.starts.len() != source.outcome_columns.len() {
            return Err(TableError::Inconsistent("view starts"));
        }
        match (Prototypes::new(prototypes), OutcomeTables::new(tables)) {
            (Ok(prototypes), Ok(tables)) => Ok(View {
                prototypes,
                encoder: Encoder::new(encoder),
                tables,
                log_unit: Nats::from_raw(source.log_unit),
                reach: source.reach,
                baselines: source.baselines,
                starts: source.starts,
            }),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// Checks the schema of a row from its sections.
    const fn schema<'t>(
        fingerprint: u32,
        kinds: &'t [u8],
        golden_readings: &'t [u32],
        golden_scores: &'t [[u32; 2]],
    ) -> Result<RowSchema<'t>, TableError> {
        RowSchema { fingerprint: Fingerprint::new(fingerprint), kinds, golden_readings, golden_scores }.check()
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
