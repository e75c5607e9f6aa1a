use surprisal_trainer::{
    bits::Bits,
    data::{Frame, Header},
    fit::*,
    model::Model,
    order,
    quantise::TableData,
    schema::Schema,
};
fn load(set: &str, part: &str, schema: Option<&Schema>) -> (Schema, Bits) {
    let frame = Frame::read(format!("/work/shared/data/debd/{set}.{part}.csv.gz").as_ref(), Header::No).unwrap();
    let rows: Vec<usize> = (0..frame.rows()).collect();
    let schema = schema.cloned().unwrap_or_else(|| Schema::find(&frame, &rows, &[], false).unwrap());
    let r = schema.all_readings(&frame, &rows).unwrap();
    let (bits, _) = schema.encode(&r).unwrap();
    (schema, bits)
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let set = &args[1];
    let (schema, train0) = load(set, "train", None);
    let (_, valid0) = load(set, "valid", Some(&schema));
    let (_, test0) = load(set, "test", Some(&schema));
    for learned in [false, true] {
        let natural: Vec<usize> = (0..train0.width()).collect();
        let o = if learned { order::learned(&schema, &train0, 100) } else { natural };
        let (train, valid, test) = (train0.reordered(&o), valid0.reordered(&o), test0.reordered(&o));
        let schema = schema.reordered(&o);
        let go = |family, gamma, s: &[f64]| -> Vec<Model> {
            fit(&train, &[], &Recipe { family, gamma, most_splits: 100, askable: None, l2: 0.3 }, s, &|| ())
                .into_iter()
                .map(|conditionals| Model { conditionals, ..Model::default() })
                .collect()
        };
        let lin = go(Family::Linear, 0.0, &[14.0, 10.0, 7.0, 5.0]);
        let lt = go(Family::Lintree, 5.0, &[14.0, 10.0, 7.0, 5.0]);
        let tree: Vec<Model> = [5.0, 10.0].iter().flat_map(|g| go(Family::Tree, *g, &[8.0, 2.0])).collect();
        let boost: Vec<Model> =
            [(2.0, 0.3), (5.0, 0.5), (5.0, 0.3)].iter().flat_map(|(g, s)| go(Family::Boost, *g, &[*s])).collect();
        let show = |name: String, m: &Model| {
            println!(
                "{learned} {name}: bytes {} valid {:.3} test {:.3}",
                TableData::new(&schema, m).map_or(0, |t| t.bytes().unwrap().len()),
                m.log_likelihood(&valid),
                m.log_likelihood(&test)
            )
        };
        for (a, l) in lin.iter().enumerate() {
            show(format!("lin {a}"), l);
            for (b, t) in tree.iter().chain(&boost).enumerate() {
                show(format!("lin {a} other {b}"), &Model::blend(&[(l, 0.5), (t, 0.5)]).unwrap());
            }
        }
        for (a, l) in lt.iter().enumerate() {
            show(format!("lt {a}"), l);
            for (b, t) in boost.iter().enumerate() {
                show(format!("lt {a} boost {b}"), &Model::blend(&[(l, 0.5), (t, 0.5)]).unwrap());
            }
        }
    }
}
