//! Blame: the column whose replacement makes a row most normal.

use surprisal::{
    Blame, Column, Detector, EncodeError, Encoder, EncoderSlices, Kind, Linear, LinearSlices, LinearWeights, Model,
    Nats, OutcomeTables, OutcomeTablesSlices, Predictor, Prototypes, PrototypesSlices, Reading, Table, Terms, View,
    ViewTable, total_order,
};

#[path = "golden/shuttle.rs"]
#[rustfmt::skip]
#[allow(dead_code, reason = "only the table is of interest")]
mod shuttle;

/// The words, values and log-widths of columns.
fn encoder(columns: &[Column<'static>]) -> Encoder<'static> {
    let words: Vec<u16> = columns.iter().flat_map(Column::words).collect();
    Encoder::new(EncoderSlices {
        columns: words.leak(),
        values: columns.iter().flat_map(|column| column.values).copied().collect::<Vec<i32>>().leak(),
        log_widths: columns.iter().flat_map(|column| column.log_widths).copied().collect::<Vec<u16>>().leak(),
    })
}

const NUMBER: Column<'static> = Column {
    source: 0,
    kind: Kind::Integer,
    may_miss: false,
    values: &[10, 20, 30, 40],
    pivot: 0,
    tail_scale: 3,
    log_widths: &[0; 5],
};

/// A view in which each column has the cell of column 0 with probability 0.95.
fn agreeing(columns: &[Column<'static>], prototypes: Prototypes<'static>) -> View<'static> {
    let outcomes: Vec<u16> = columns.iter().map(|column| column.outcomes() as u16).collect();
    let words: Vec<[u16; 3]> = outcomes
        .iter()
        .enumerate()
        .map(|(at, &count)| if at == 0 { [count, 1, OutcomeTables::NO_PARENT] } else { [count, outcomes[0], 0] })
        .collect();
    let row = |outcomes: u16, likely: Option<u16>| {
        let (spare, mut sum) = (65536 / 20 / u32::from(outcomes), 0);
        let even = 65536 / u32::from(outcomes);
        let masses = (0..outcomes).map(move |outcome| match likely {
            Some(likely) if outcome == likely.min(outcomes - 1) => 65536 - spare * u32::from(outcomes - 1),
            Some(_) => spare,
            None => even,
        });
        masses.take(usize::from(outcomes) - 1).map(move |mass| {
            sum += mass;
            sum as u16
        })
    };
    let mut rows: Vec<u16> = row(outcomes[0], None).collect();
    let mut groups = Vec::new();
    for &count in &outcomes[1..] {
        groups.extend(0..outcomes[0] as u8);
        rows.extend((0..outcomes[0]).flat_map(|of_parent| row(count, Some(of_parent))));
    }
    let tables = OutcomeTables::new(OutcomeTablesSlices {
        columns: words.leak(),
        groups: groups.leak(),
        splits: &[],
        rows: rows.leak(),
    });
    started(View { prototypes, encoder: encoder(columns), tables: tables.expect("the rows ascend"), ..View::EMPTY })
}

fn started(view: View<'static>) -> View<'static> {
    View { starts: View::starts(&view.encoder, &view.tables).collect::<Vec<_>>().leak(), ..view }
}

fn table<const V: usize>(views: [View<'static>; V]) -> ViewTable<'static, 4, V> {
    ViewTable::new(views, Detector::OFF, Predictor::NONE).expect("the views are valid")
}

fn blamed<const V: usize>(table: &ViewTable<4, V>, readings: &[Reading]) -> Blame {
    let mut given = readings.to_vec();
    let blame = table.blame(&mut given).expect("the readings fit");
    assert_eq!(given, readings, "the readings are restored");
    assert_eq!(blame.before, table.score(readings).unwrap().anomaly);
    given[usize::from(blame.column)] = blame.expected;
    assert_eq!(blame.anomaly, table.score(&given).unwrap().anomaly);
    blame
}

fn three() -> [Column<'static>; 3] {
    [0, 1, 2].map(|source| Column { source, ..NUMBER })
}

#[test]
fn a_wrong_parent_is_blamed_although_its_children_surprise() {
    let table = table([agreeing(&three(), Prototypes::NONE)]);
    let readings = [15, 35, 35].map(Reading::Integer);
    assert_ne!(table.score(&readings).unwrap().column, 0);
    let blame = blamed(&table, &readings);
    assert_eq!((blame.column, blame.expected), (0, Reading::Integer(35)));
    assert!(!blame.is_ambiguous());
    let blame = blamed(&table, &[15, 15, 1000].map(Reading::Integer));
    assert_eq!((blame.column, blame.expected), (2, Reading::Integer(15)));
}

#[test]
fn of_two_sensors_that_disagree_the_first_is_blamed_and_both_are_suspects() {
    let table = table([agreeing(&three()[..2], Prototypes::NONE)]);
    let blame = blamed(&table, &[15, 35].map(Reading::Integer));
    assert_eq!((blame.column, blame.runner_up.map(|(column, _)| column)), (0, Some(1)));
    assert!(blame.is_ambiguous());
}

#[test]
fn readings_of_every_kind_have_typical_values() {
    let reals: &'static [i32] = [-4.0, -2.0, 3.0, 9.0].map(total_order).to_vec().leak();
    let missing = Column { source: 1, may_miss: true, ..NUMBER };
    let real = Column { source: 2, kind: Kind::Real, values: reals, ..NUMBER };
    let code =
        Column { source: 3, kind: Kind::Category, values: &[7, 5, 3, 2], log_widths: &[], tail_scale: 0, ..NUMBER };
    let table = table([agreeing(&[NUMBER, missing, real, code], Prototypes::NONE)]);
    let row = [Reading::Integer(25), Reading::Integer(25), Reading::Real(0.5), Reading::Integer(3)];
    let replaced = |at: usize, by: Reading| {
        let mut row = row;
        row[at] = by;
        blamed(&table, &row)
    };
    let of = |blame: Blame| (usize::from(blame.column), blame.expected);
    assert_eq!(of(replaced(0, Reading::Integer(500))), (0, Reading::Integer(25)));
    assert_eq!(of(replaced(1, Reading::Missing)), (1, Reading::Integer(25)));
    for wild in [f32::INFINITY, -1e30, f32::MIN_POSITIVE - 3.0] {
        assert_eq!(of(replaced(2, Reading::Real(wild))), (2, Reading::Real(0.5)));
    }
    for code in [7, 99, i32::MIN] {
        assert_eq!(of(replaced(3, Reading::Integer(code))), (3, Reading::Integer(3)));
    }
}

#[test]
fn columns_of_residuals_are_restored_to_readings() {
    let prototypes =
        Prototypes::new(PrototypesSlices { columns: &[[0, 8, 200, 2], [1, 6, 0, 3]], points: &[-25, 0, 25, 40] });
    let edges: &'static [i32] = &[-30, -10, 10, 30];
    let columns = [0, 1].map(|source| Column { source, values: edges, ..NUMBER });
    let columns = [columns[0], columns[1], Column { source: 2, ..NUMBER }];
    let table = table([agreeing(&columns, prototypes.unwrap())]);
    // The second prototype lies at 300 units and at 320 steps of 1/4; 25 is in the same cell as a residual of 0.
    let blame = blamed(&table, &[Reading::Integer(285), Reading::Real(80.0), Reading::Integer(25)]);
    assert_eq!((blame.column, blame.expected), (0, Reading::Integer(300)));
    let blame = blamed(&table, &[Reading::Integer(300), Reading::Real(85.0), Reading::Integer(25)]);
    assert_eq!((blame.column, blame.expected), (1, Reading::Real(80.0)));
}

/// Only the second view knows the values of the two regimes, and the wrong reading moves the row to the other one.
#[test]
fn a_reading_that_changes_the_regime_is_restored_to_its_own_regime() {
    let prototypes = Prototypes::new(PrototypesSlices {
        columns: &[[0, 8, 0, 2], [1, 8, 0, 2], [2, 8, 0, 0]],
        points: &[0, 0, 0, 40, 40, 100],
    });
    let coarse: &'static [i32] = &[-1000, 1000];
    let fine: &'static [i32] = &[-30, -10, 10, 30];
    let readings = [0, 1, 2].map(|source| Column { source, values: coarse, log_widths: &[0; 3], ..NUMBER });
    let residuals = [0, 1, 2].map(|source| Column { source, values: fine, ..NUMBER });
    let table = table([agreeing(&readings, Prototypes::NONE), agreeing(&residuals, prototypes.unwrap())]);
    let readings = [160, 160, 0].map(Reading::Integer);
    assert_eq!(table.regime(&readings).map(|regime| regime.index), Some(0));
    let blame = blamed(&table, &readings);
    assert_eq!((blame.column, blame.expected), (2, Reading::Integer(100)));
}

#[test]
fn observed_columns_and_regimes_are_not_blamed() {
    let mut view = agreeing(&three(), Prototypes::NONE);
    let rows: Vec<u16> = view.tables.slices().rows[4..].to_vec();
    let slices = OutcomeTablesSlices {
        columns: &[[5, 0, OutcomeTables::NO_PARENT], [5, 5, 0], [5, 5, 0]],
        rows: rows.leak(),
        ..view.tables.slices()
    };
    view.tables = OutcomeTables::new(slices).expect("column 0 needs no rows");
    let table = table([started(view)]);
    let blame = blamed(&table, &[15, 35, 35].map(Reading::Integer));
    assert_eq!((blame.column, blame.runner_up.map(|(column, _)| column)), (1, Some(2)));
}

#[test]
fn a_table_without_columns_blames_nothing() {
    let model = Model::new(Terms::EMPTY, &[], 0).expect("no bits");
    let blame = Table::<0>::new(Encoder::EMPTY, model, Detector::OFF).blame(&mut []).expect("no readings are needed");
    assert_eq!((blame.column, blame.expected, blame.runner_up), (0, Reading::Missing, None));
    assert!(blame.is_ambiguous());
}

#[test]
fn a_row_that_does_not_fit_is_an_error_and_stays() {
    let table = table([agreeing(&three(), Prototypes::NONE)]);
    let mut readings = [Reading::Integer(1), Reading::Real(0.5), Reading::Integer(2)];
    assert_eq!(table.blame(&mut readings), Err(EncodeError::WrongType { column: 1 }));
    assert_eq!(readings[1], Reading::Real(0.5));
    assert_eq!(table.blame(&mut [Reading::Integer(1)]), Err(EncodeError::NoReading { column: 1 }));
}

/// Two flags that are mostly equal, and a category with more codes than `blame` tries.
#[test]
fn bits_have_typical_values_too() {
    let flags = [0, 1].map(|source| Column {
        source,
        kind: Kind::Flag { flipped: false },
        values: &[],
        log_widths: &[],
        ..NUMBER
    });
    let codes: &'static [i32] = (100..140).collect::<Vec<i32>>().leak();
    let code = Column { source: 2, kind: Kind::Category, values: codes, log_widths: &[], ..NUMBER };
    let mut biases = [-3000; 42];
    biases[0] = 0;
    biases[2] = 3000;
    let mut weights = [0i8; 42 * 41 / 2];
    weights[0] = 100;
    let linear = LinearSlices { biases: &biases, scales: &[3000; 42], weights: LinearWeights::Dense(&weights) };
    let terms = Terms { linear: Linear::new(linear).expect("the weights fit"), ..Terms::EMPTY };
    let model = Model::new(terms, &[], 42).expect("42 bits");
    let table = Table::<42>::new(encoder(&[flags[0], flags[1], code]), model, Detector::OFF);
    let blame = |row: [i32; 3]| {
        let mut readings = row.map(Reading::Integer);
        let blame = table.blame(&mut readings).expect("the readings fit");
        assert_eq!(readings, row.map(Reading::Integer));
        blame
    };
    let code = blame([0, 0, 7]);
    assert_eq!((code.column, code.expected), (2, Reading::Integer(101))); // the code with exactly the first bit
    let flag = blame([0, 99, 100]);
    assert_eq!((flag.column, flag.expected), (1, Reading::Integer(0)));
}

/// A reading of the shuttle that is replaced by a wrong one is found, also where another column has the largest surprisal.
#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn replaced_readings_of_the_shuttle_are_found() {
    let (words, _) = include_bytes!("golden/shuttle.readings").as_chunks::<2>();
    let (rows, _) = words.as_chunks::<{ shuttle::COLUMNS.len() }>();
    let (table, mut alarms, mut right, mut largest) = (&shuttle::TABLE, 0, 0, 0);
    for (at, row) in rows.iter().enumerate() {
        let mut readings = row.map(|word| Reading::Integer(i16::from_le_bytes(word).into()));
        if table.judge(&readings).expect("the row fits").is_anomalous() {
            continue;
        }
        let column = at % readings.len();
        let Reading::Integer(value) = readings[column] else { unreachable!("all columns are integers") };
        readings[column] = Reading::Integer(value + [-60, -20, 20, 60][at / readings.len() % 4]);
        let score = table.score(&readings).expect("the row fits");
        if table.detector.judge(score.anomaly).is_anomalous() {
            let replaced = readings;
            let blame = table.blame(&mut readings).expect("the row fits");
            assert_eq!(readings, replaced);
            assert_eq!(blame.before, score.anomaly);
            readings[usize::from(blame.column)] = blame.expected;
            assert_eq!(table.score(&readings).expect("the row fits").anomaly, blame.anomaly);
            assert!(blame.runner_up.is_some_and(|(column, nats)| (blame.anomaly, blame.column) < (nats, column)));
            alarms += 1;
            right += u32::from(usize::from(blame.column) == column);
            largest += u32::from(usize::from(score.column) == column);
        }
    }
    assert!(alarms > 350 && right > alarms * 98 / 100 && largest < alarms * 9 / 10, "{alarms} {right} {largest}");
    assert!(Nats::ZERO < table.detector.threshold);
}
