//! Random views, and what they mean by definition, in `f64`.
#![allow(dead_code, reason = "each test takes what it needs")]

use surprisal::{
    Column, Detector, Encoder, EncoderSlices, Kind, Nats, Predictor, Prototypes, PrototypesSlices, Reading, View,
    ViewTable, total_order,
};

use super::naive;
use super::outcomes::RandomTables;
use super::random::{Dice, encoder_slices};

/// Capacity for the columns of a random view, with the column of the regime.
pub const C: usize = 6;

/// The storage of a random view.
#[derive(Clone, Debug)]
pub struct RandomView {
    pub columns: Vec<Column<'static>>,
    pub encoder: (Vec<u16>, Vec<i32>, Vec<u16>),
    pub prototypes: (Vec<[i32; 4]>, Vec<i8>),
    pub tables: RandomTables,
    pub log_unit: u32,
    pub reach: u32,
    pub baselines: Vec<u16>,
}

/// Features that a random view may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// Flags and categories, so that all readings can be listed.
    Discrete,
    /// Columns of all kinds.
    Readings,
    /// Residuals from prototypes, and a column for the regime.
    Residuals,
}

/// Draws a column of readings of this kind.
fn column(source: u16, kind: i64, dice: &mut Dice) -> Column<'static> {
    let count = dice.between(1, 12) as usize;
    let mut edges = std::collections::BTreeSet::new();
    while edges.len() < count {
        edges.insert(dice.between(-60, 60) as i32);
    }
    let reals = edges.iter().map(|&edge| total_order(edge as f32 / 4.0)).collect::<Vec<i32>>();
    let edges = edges.into_iter().collect::<Vec<i32>>();
    let (kind, values) = match kind {
        0 => (Kind::Flag { flipped: dice.one_in(2) }, Vec::new()),
        1 => (Kind::Category, edges),
        2 => (Kind::Integer, edges),
        _ => (Kind::Real, reals),
    };
    let numeric = matches!(kind, Kind::Integer | Kind::Real);
    let widths = (0..=values.len()).filter(|_| numeric).map(|_| dice.between(0, 6000) as u16).collect::<Vec<u16>>();
    Column {
        source,
        kind,
        may_miss: dice.one_in(3),
        pivot: 0,
        tail_scale: if numeric { dice.between(-2, 6) as i8 } else { 0 },
        log_widths: widths.leak(),
        values: values.leak(),
    }
}

/// Draws the kinds of `count` readings, which all views of a table share: a flag, a category, an integer or a real number.
pub fn kinds(count: usize, discrete: bool, dice: &mut Dice) -> Vec<i64> {
    (0..count).map(|_| dice.between(0, if discrete { 1 } else { 3 })).collect()
}

impl RandomView {
    pub fn new(kinds: &[i64], make: Make, dice: &mut Dice) -> Self {
        let mut columns: Vec<Column> = (0..).zip(kinds).map(|(at, &kind)| column(at, kind, dice)).collect();
        let (mut of_prototypes, mut points) = (Vec::new(), Vec::new());
        if make == Make::Residuals {
            for (column, _) in columns.iter_mut().zip(kinds).filter(|(_, kind)| **kind >= 2) {
                // An integer column of steps, whatever the readings are.
                *column = Column { may_miss: column.may_miss, ..self::column(column.source, 2, dice) };
                let (scale, shift) = (dice.between(4, 9) as i32, dice.between(-6, 8) as i32);
                of_prototypes.push([column.source.into(), scale, dice.between(-50, 50) as i32, shift]);
            }
            let count = dice.between(1, 5);
            if !of_prototypes.is_empty() {
                points = (0..count * of_prototypes.len() as i64).map(|_| dice.between(-127, 127) as i8).collect();
                let values: &[i32] = (0..count as i32).collect::<Vec<_>>().leak();
                let regime = Column { source: View::REGIME, may_miss: false, values, ..column(0, 1, dice) };
                columns.insert(dice.between(0, columns.len() as i64) as usize, regime);
            }
        } else {
            // Any order of the columns is a model order.
            (1..columns.len()).for_each(|at| columns.swap(at, dice.between(0, at as i64) as usize));
        }
        let outcomes: Vec<u16> = columns.iter().map(|column| column.outcomes() as u16).collect();
        let baselines = (0..columns.len()).map(|_| dice.between(0, 5000) as u16).collect();
        let has_none = of_prototypes.is_empty();
        Self {
            encoder: encoder_slices(&columns),
            tables: RandomTables::new(&outcomes, make != Make::Discrete, dice),
            prototypes: (of_prototypes, points),
            log_unit: if make == Make::Discrete { 0 } else { dice.between(0, 100_000) as u32 },
            reach: if has_none { u32::MAX } else { dice.between(0, 60_000) as u32 },
            baselines: if dice.one_in(3) { Vec::new() } else { baselines },
            columns,
        }
    }

    pub fn view(&self) -> View<'_> {
        let (columns, values, log_widths) = &self.encoder;
        let mut view = View {
            encoder: Encoder::new(EncoderSlices { columns, values, log_widths }),
            tables: self.tables.tables(),
            baselines: &self.baselines,
            log_unit: Nats::from_raw(self.log_unit),
            reach: self.reach,
            ..View::EMPTY
        };
        let (columns, points) = &self.prototypes;
        view.prototypes = Prototypes::new(PrototypesSlices { columns, points }).expect("the prototypes are valid");
        view.starts = View::starts(&view.encoder, &view.tables).collect::<Vec<_>>().leak();
        view
    }

    /// The readings of a row of outcomes of this view, if it models readings: any value of each cell.
    pub fn readings(&self, row: &[u8]) -> Vec<Reading> {
        let mut readings = vec![Reading::Missing; self.columns.len()];
        for (column, &outcome) in self.columns.iter().zip(row) {
            let (known, outcome) = (column.values.len(), usize::from(outcome));
            let number = |key: i32| match column.kind {
                Kind::Real => Reading::Real(f32::from_bits(total_order(f32::from_bits(key as u32)) as u32)),
                _ => Reading::Integer(key),
            };
            readings[usize::from(column.source)] = match column.kind {
                Kind::Flag { flipped } if outcome < 2 => Reading::Integer(i32::from((outcome == 1) != flipped)),
                Kind::Flag { .. } => Reading::Missing,
                _ if outcome > known => Reading::Missing,
                _ if outcome < known => number(column.values[outcome]),
                Kind::Category => Reading::Integer(1000),
                _ => number(column.values[known - 1] + 1),
            };
        }
        readings
    }

    /// The index of the nearest prototype and its squared distance, by definition.
    pub fn nearest(&self, readings: &[Reading]) -> (usize, f64) {
        let (columns, points) = &self.prototypes;
        let coordinate = |&[source, scale, origin, shift]: &[i32; 4]| {
            let steps = steps(readings[source as usize], scale)? - f64::from(origin);
            Some((steps / 2f64.powi(shift)).floor().clamp(-127.0, 127.0))
        };
        let own: Vec<Option<f64>> = columns.iter().map(coordinate).collect();
        let apart = |(own, &other): (&Option<f64>, &i8)| own.map_or(0.0, |own| (own - f64::from(other)).powi(2));
        let distances = points.chunks(columns.len()).map(|point| own.iter().zip(point).map(apart).sum::<f64>());
        // The first of the smallest.
        distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
    }

    /// Returns the reading, residual or regime that each column of the view encodes.
    pub fn seen(&self, readings: &[Reading]) -> Vec<Reading> {
        let (columns, points) = &self.prototypes;
        let nearest = if columns.is_empty() { 0 } else { self.nearest(readings).0 };
        let of = |column: &Column| {
            if column.source == View::REGIME {
                return Reading::Integer(nearest as i32);
            }
            let reading = readings[usize::from(column.source)];
            let Some(at) = columns.iter().position(|&[source, ..]| source == i32::from(column.source)) else {
                return reading;
            };
            let [_, scale, origin, shift] = columns[at];
            let point = (f64::from(points[nearest * columns.len() + at]) * 2f64.powi(shift)).floor();
            steps(reading, scale)
                .map_or(Reading::Missing, |steps| Reading::Integer((steps - f64::from(origin) - point) as i32))
        };
        self.columns.iter().map(of).collect()
    }

    /// The score of a row by definition, or `None` if it does not fit.
    pub fn score(&self, readings: &[Reading], temperature: f64) -> Option<Naive> {
        let (seen, mut row) = (self.seen(readings), Vec::new());
        let level = self.baselines.iter().max().map_or(0.0, |&nats| f64::from(nats) / 1024.0);
        let (mut walk, mut sum) = (self.view().tables.walk(), 0.0);
        let nats = f64::from(self.log_unit) / 65536.0;
        let mut score = Naive { nats, anomaly: 0.0, tails: 0, numbers: 0, missing: 0 };
        for (at, (column, &reading)) in self.columns.iter().zip(&seen).enumerate() {
            let conditional = walk.next(&row)?;
            let missing = is_missing(&reading);
            if missing && !column.may_miss {
                // The likeliest outcome stands for it, and it is not scored.
                let likeliest = |masses: surprisal::Masses| {
                    (0..masses.outcomes() as u8).rev().max_by_key(|&outcome| masses.mass(outcome)).unwrap_or(0)
                };
                // A column that is not scored has no masses: the middle of a number, the first code.
                let is_number = matches!(column.kind, Kind::Integer | Kind::Real);
                row.push(conditional.map_or(if is_number { (column.outcomes() / 2) as u8 } else { 0 }, likeliest));
                score.missing += 1;
                continue;
            }
            let own = naive::outcome(column, reading)?.unwrap_or(column.outcomes() - 1) as u8;
            row.push(own);
            let Some(mut masses) = conditional else { continue };
            let (_, width) = naive::encode(column, reading)?;
            // Of the conditionals for the values that lost readings may have had, the one that suits the outcome.
            for value in (0..=255).filter(|_| score.missing > 0) {
                let other: Vec<u8> = (0..=at)
                    .map(|at| {
                        let (column, lost) = (&self.columns[at], is_missing(&seen[at]) && !self.columns[at].may_miss);
                        if lost { value.min((column.outcomes() - 1) as u8) } else { row[at] }
                    })
                    .collect();
                let mut walk = self.view().tables.walk();
                let of_row = (0..=at).filter_map(|_| walk.next(&other)).last().flatten();
                masses = of_row.filter(|other| other.mass(own) > masses.mass(own)).unwrap_or(masses);
            }
            let probability = |outcomes: std::ops::RangeInclusive<u8>| {
                outcomes.map(|outcome| f64::from(masses.mass(outcome)) / 65536.0).sum::<f64>()
            };
            let nats = width - probability(row[at]..=row[at]).ln();
            score.nats += nats;
            let beyond = naive::tail(column, reading);
            score.tails += u32::from(beyond > 0.0);
            let baseline = self.baselines.get(at).map_or(0.0, |&nats| f64::from(nats) / 1024.0);
            let mut push = |nats: f64| {
                score.numbers += 1;
                sum += (nats / temperature).exp2();
            };
            push(nats + level - baseline);
            if matches!(column.kind, Kind::Integer | Kind::Real) && !missing {
                let side = probability(0..=row[at]).min(probability(row[at]..=column.outcomes() as u8 - 1));
                push(level - (2.0 * side).min(1.0).ln());
            }
        }
        score.anomaly = if score.numbers == 0 { 0.0 } else { temperature * sum.log2() };
        Some(score)
    }
}

fn is_missing(reading: &Reading) -> bool {
    matches!(reading, Reading::Missing) || matches!(reading, Reading::Real(value) if value.is_nan())
}

/// The score of a row in a view by definition.
#[derive(Clone, Copy, Debug)]
pub struct Naive {
    pub nats: f64,
    pub anomaly: f64,
    /// The number of readings beyond the outermost edges.
    pub tails: u32,
    /// The number of surprisals in the soft maximum.
    pub numbers: u32,
    /// The number of columns that are left out because their readings are missing.
    pub missing: u16,
}

/// A reading in steps of 2^scale / 256, rounded towards zero; `None` if it is missing.
fn steps(reading: Reading, scale: i32) -> Option<f64> {
    let value = match reading {
        Reading::Integer(value) => f64::from(value),
        Reading::Real(value) if !value.is_nan() => f64::from(value),
        _ => return None,
    };
    Some((value * 2f64.powi(8 - scale)).trunc().clamp(-(2f64.powi(61)), 2f64.powi(61)))
}

/// Draws a reading of a kind; few are wild, and few are missing.
pub fn reading(kind: i64, dice: &mut Dice) -> Reading {
    if dice.one_in(12) {
        return Reading::Missing;
    }
    let wild = dice.one_in(8);
    let any_of = |of: &[i64], dice: &mut Dice| of[dice.between(0, of.len() as i64 - 1) as usize];
    match kind {
        0 if !wild => Reading::Integer(dice.between(0, 1) as i32),
        3 if wild => {
            let bits = any_of(&[0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 1, 0x8000_0000, 0x7F7F_FFFF], dice);
            Reading::Real(f32::from_bits(bits as u32))
        }
        3 => Reading::Real(dice.between(-700, 700) as f32 / 37.0),
        _ if wild => Reading::Integer(any_of(&[i32::MIN.into(), i32::MAX.into(), 100_000, -5000], dice) as i32),
        _ => Reading::Integer(dice.between(-70, 70) as i32),
    }
}

/// A table of random views.
pub fn table<'r, const V: usize>(views: &'r [RandomView; V], detector: Detector<'r>) -> ViewTable<'r, C, V> {
    ViewTable::new(views.each_ref().map(RandomView::view), detector, Predictor::NONE).expect("the views are valid")
}
