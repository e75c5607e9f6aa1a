//! Writes a table of views as Rust source.

use surprisal::{View, ViewTable};

use super::{Source, head, schema_section};
use crate::artefact::Artefact;

/// Returns the Rust source of a table of views.
pub fn source<const C: usize, const V: usize>(artefact: &Artefact, table: &ViewTable<C, V>) -> String {
    let constants = format!(
        "/// The largest number of columns of a view.\npub const CAPACITY: usize = {};\n\
         /// The number of views.\npub const VIEWS: usize = {V};\n",
        artefact.shape.bits
    );
    let mut out = head(artefact, "ViewTable", &constants, &table.predictor);
    let mut views = String::new();
    for (at, view) in table.views.iter().enumerate() {
        let mut source = Source { prefix: format!("VIEW_{at}_"), ..Source::default() };
        sections(view, &mut source);
        out += &source.statics;
        let fields = source.fields.replace("        ", "                ");
        views += &format!(
            "            v5::ViewSource {{\n{fields}                ..v5::ViewSource::EMPTY\n            }},\n"
        );
    }
    let mut shared = Source::default();
    let (detector, predictor) = (&table.detector, table.predictor.slices());
    shared.section("calibration", "u32", &detector.words());
    shared.section("quantiles", "u32", detector.quantiles);
    shared.section("baselines", "u16", detector.baselines);
    shared.section("predictor_words", "i32", predictor.words);
    shared.section("predictor_weights", "i16", predictor.weights);
    schema_section(&mut shared, &table.schema);
    let Source { statics, fields, .. } = shared;
    out += &format!(
        "{statics}\
         /// The table, checked at compile time.\n\
         #[allow(clippy::needless_update, reason = \"later versions of the library have more sections\")]\n\
         pub static TABLE: ViewTable<'static, CAPACITY, VIEWS> = {{\n    \
             let source = v5::ViewsSource {{\n        \
                 views: [\n\
         {views}        ],\n\
         {fields}        \
                 ..v5::ViewsSource::EMPTY\n    \
             }};\n    \
             match v5::view_table(source) {{\n        \
                 Ok(table) => table,\n        \
                 Err(_) => panic!(\"the table is damaged: export it again\"),\n    \
             }}\n\
         }};\n"
    );
    out
}

/// Adds the sections of a view to `source`, without empty sections.
fn sections(view: &View, source: &mut Source) {
    let (encoder, prototypes, tables) = (view.encoder.slices(), view.prototypes.slices(), view.tables.slices());
    source.section("encoder_columns", "u16", encoder.columns);
    source.section("encoder_values", "i32", encoder.values);
    source.section("encoder_log_widths", "u16", encoder.log_widths);
    source.arrays("prototype_columns", "[i32; 4]", prototypes.columns);
    source.section("prototype_points", "i8", prototypes.points);
    source.arrays("outcome_columns", "[u16; 3]", tables.columns);
    source.section("outcome_groups", "u8", tables.groups);
    source.section("outcome_splits", "u32", tables.splits);
    source.section("outcome_rows", "u16", tables.rows);
    source.number("log_unit", view.log_unit.raw());
    source.number("reach", view.reach);
    source.section("baselines", "u16", view.baselines);
    source.arrays("starts", "[u32; 5]", view.starts);
}
