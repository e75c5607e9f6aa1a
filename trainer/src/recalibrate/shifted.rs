//! Encoders and prototypes of a table whose readings differ by constants.

use surprisal::{Encoder, EncoderSlices, Kind, Prototypes, PrototypesSlices, Reading, View, total_order};

use crate::error::Result;
use crate::schema::from_total_order;

/// The parts of a view that offsets change.
pub(super) struct ShiftedView {
    values: Vec<i32>,
    columns: Vec<[i32; 4]>,
}

impl ShiftedView {
    pub fn of(view: &View, offset: &dyn Fn(u16) -> f64) -> Self {
        let mut columns = view.prototypes.slices().columns.to_vec();
        let mut is_cut = Vec::new();
        for [source, scale, origin, _] in &mut columns {
            let moved = f64::from(*origin) + offset(*source as u16) * 256.0 / f64::from(*scale).exp2();
            // Rounded down, so that no reading gets a smaller coordinate, of which many begin with a reading of the fit.
            *origin = moved.floor() as i32;
            is_cut.extend((moved.fract() != 0.0).then_some(*source as u16));
        }
        // Residuals stay as they are when the prototypes move, except for what is cut.
        let is_residual = |source: u16| columns.iter().any(|column| column[0] == i32::from(source));
        let own = |source| if is_residual(source) { 0.0 } else { offset(source) };
        let mut values = shifted_values(&view.encoder, &own);
        let mut rest = &mut values[..];
        for (column, _) in view.encoder.columns() {
            let (edges, others) = rest.split_at_mut(column.values.len());
            if is_cut.contains(&column.source) {
                raise(edges, column.values);
            }
            rest = others;
        }
        Self { values, columns }
    }

    pub fn view<'t>(&'t self, view: &View<'t>) -> Result<View<'t>> {
        let slices = EncoderSlices { values: &self.values, ..view.encoder.slices() };
        let points = view.prototypes.slices().points;
        let prototypes = Prototypes::new(PrototypesSlices { columns: &self.columns, points })?;
        Ok(View { encoder: Encoder::new(slices), prototypes, ..*view })
    }
}

/// Moves the edges of residuals that are cut, and hence their own or one step more, by a step, because cells end with readings of
/// the fit. Cells of one step, usually those of a value of the fit between gaps that no reading fills, keep their lower edge, and
/// their log-widths, because the readings that they hold are the same. They also get a step more above, where there is room, for
/// readings whose sign the offset changes.
fn raise(edges: &mut [i32], before: &[i32]) {
    if before.last() == Some(&i32::MAX) {
        return;
    }
    edges.iter_mut().for_each(|edge| *edge += 1);
    let is_gap = |low: usize| before[low + 1].saturating_sub(before[low]) > 1;
    let single = || (1..before.len()).filter(|&at| before[at].checked_sub(1) == Some(before[at - 1]));
    for at in single().filter(|&at| at < 2 || is_gap(at - 2)) {
        edges[at - 1] -= 1;
    }
    for at in single() {
        let high = edges[at].saturating_add(1);
        if edges.get(at + 1).is_none_or(|&next| high < next) {
            edges[at] = high;
        }
    }
}

/// Returns the values of an encoder with the edges of numeric columns shifted by the offset of their source.
pub(super) fn shifted_values(encoder: &Encoder, offset: &dyn Fn(u16) -> f64) -> Vec<i32> {
    let mut values = Vec::with_capacity(encoder.slices().values.len());
    for (column, _) in encoder.columns() {
        let offset = if column.source == View::REGIME { 0.0 } else { offset(column.source) };
        let is_number = matches!(column.kind, Kind::Integer | Kind::Real) && offset != 0.0;
        let mut last = None;
        for &edge in column.values {
            let is_real = column.kind == Kind::Real;
            let own = if is_real { Reading::Real(from_total_order(edge)) } else { Reading::Integer(edge) };
            let shifted = match less(own, -offset) {
                Reading::Integer(edge) if is_number => edge,
                Reading::Real(edge) if is_number => total_order(edge),
                _ => edge,
            };
            // Neighbouring edges of a real column may be closer than its precision after the shift.
            let shifted = last.filter(|_| is_number).map_or(shifted, |last: i32| shifted.max(last.saturating_add(1)));
            values.push(shifted);
            last = Some(shifted);
        }
    }
    values
}

/// Returns a reading less an offset. Integers stay integers.
pub(super) fn less(reading: Reading, offset: f64) -> Reading {
    reading.less(match reading {
        Reading::Integer(_) => Reading::Integer(offset.round() as i32),
        _ => Reading::Real(offset as f32),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells_of_one_step_are_widened_where_there_is_room() {
        let raised = |before: &[i32]| {
            let mut edges = before.to_vec();
            super::raise(&mut edges, before);
            edges
        };
        // Two values between gaps, a cell of many steps, values without a gap, and with a gap of two steps.
        assert_eq!(raised(&[9, 10, 19, 20]), [9, 12, 19, 22]);
        assert_eq!(raised(&[9, 15, 20]), [10, 16, 21]);
        assert_eq!(raised(&[9, 10, 11]), [9, 11, 13]);
        assert_eq!(raised(&[9, 10, 12, 13]), [9, 11, 12, 15]);
        assert_eq!(raised(&[i32::MIN, i32::MIN + 1, i32::MAX - 1, i32::MAX]).len(), 4);
        assert!(raised(&[]).is_empty());
    }
}
