//! Writes the typed rows of a table as Rust source.

use super::fields::{Field, FieldType, camel, fields, slots_behind};
use crate::artefact::Artefact;

/// Names of types that the exported source uses itself.
const TAKEN: [&str; 10] =
    ["Self", "From", "Row", "Reading", "Table", "ViewTable", "Feature", "Features", "Fingerprint", "Option"];

/// Returns the Rust source of a struct with one field per column, and of an enum per category, with conversions to
/// readings. `length` is the number of readings of a row as a constant expression, and `spare` the number of readings
/// behind those of the columns.
pub(super) fn rows(artefact: &Artefact, length: &str, spare: usize) -> String {
    let fields = fields(&artefact.schema);
    let (mut enums, mut members, mut readings) = (String::new(), String::new(), String::new());
    for (field, name) in fields.iter().zip(types(&fields)) {
        let ty = match &field.ty {
            FieldType::Flag => "bool".to_owned(),
            FieldType::Integer => "i32".to_owned(),
            FieldType::Real => "f32".to_owned(),
            FieldType::Category(values, other) => {
                enums += &category(field, &name, values, *other);
                name
            }
        };
        let ty = if field.may_miss { format!("Option<{ty}>") } else { ty };
        members += &format!("    /// Column {:?}.\n    pub {}: {ty},\n", field.column, field.name);
        let value = match (&field.ty, field.may_miss) {
            (FieldType::Flag, false) => format!("Reading::Integer(self.{} as i32)", field.name),
            (FieldType::Flag, true) => format!("Reading::from(self.{}.map(i32::from))", field.name),
            _ => format!("Reading::from(self.{})", field.name),
        };
        readings += &format!("            {value},\n");
    }
    readings += &"            Reading::Missing,\n".repeat(spare);
    let behind = slots_behind(spare);
    format!(
        "{enums}/// A row with one field per column. A NaN is a missing reading.\n\
         #[allow(dead_code)]\n\
         #[derive(Clone, Copy, Debug, PartialEq)]\n\
         pub struct Row {{\n{members}}}\n\n\
         #[allow(dead_code)]\n\
         impl Row {{\n    \
             /// Returns the readings of the row in the order of the table{behind}.\n    \
             pub fn readings(&self) -> [Reading; {length}] {{\n        \
                 [\n{readings}        ]\n    \
             }}\n\
         }}\n\n"
    )
}

/// Returns `[field]`: the name of the enum of a category, otherwise an empty name.
pub(super) fn types(fields: &[Field]) -> Vec<String> {
    let mut used: Vec<String> = TAKEN.map(str::to_owned).to_vec();
    let mut name = |field: &Field| {
        let FieldType::Category(..) = field.ty else { return String::new() };
        used.push(free(&used, camel(&field.name)));
        used.last().cloned().unwrap_or_default()
    };
    fields.iter().map(&mut name).collect()
}

/// Returns the names of the variants of a category, the last of which stands for any other value.
pub(super) fn variants(values: &[(String, i32, &str)]) -> Vec<String> {
    let mut used = vec!["Other".to_owned(), "Self".to_owned()];
    for (value, ..) in values {
        used.push(free(&used, camel(value)));
    }
    used.drain(2..).chain(["Other".to_owned()]).collect()
}

/// Returns the name, with underscores behind it until it is not among the used ones.
fn free(used: &[String], mut name: String) -> String {
    while used.contains(&name) {
        name.push('_');
    }
    name
}

/// Returns the Rust source of the enum of a category.
fn category(field: &Field, name: &str, values: &[(String, i32, &str)], other: i32) -> String {
    let mut members = String::new();
    for ((_, code, text), variant) in values.iter().zip(variants(values)) {
        let shown = if text.is_empty() { format!("Code {code}.") } else { format!("{text:?}.") };
        members += &format!("    /// {shown}\n    {variant} = {code},\n");
    }
    format!(
        "/// A value of column {:?}.\n\
         #[allow(dead_code)]\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq)]\n\
         #[repr(i32)]\n\
         pub enum {name} {{\n{members}    /// Any other value.\n    Other = {other},\n}}\n\n\
         impl From<{name}> for Reading {{\n    \
             fn from(value: {name}) -> Self {{\n        \
                 Self::Integer(value as i32)\n    \
             }}\n\
         }}\n\n",
        field.column
    )
}
