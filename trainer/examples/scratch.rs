use rand::SeedableRng;
use std::time::Instant;
use surprisal::Activation;
use surprisal_trainer::{
    bits::Bits,
    data::{Frame, Header},
    fit::{ascent::*, nade::*},
    order,
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
    let units: usize = args[2].parse().unwrap();
    let act = match args[3].as_str() {
        "relu" => Activation::Relu,
        "sig" => Activation::Sigmoid,
        _ => Activation::Identity,
    };
    let get = |k: &str, d: f32| args.iter().position(|a| a == k).map_or(d, |i| args[i + 1].parse().unwrap());
    let (schema, train) = load(set, "train", None);
    let (_, valid) = load(set, "valid", Some(&schema));
    let (_, test) = load(set, "test", Some(&schema));
    let natural: Vec<usize> = (0..train.width()).collect();
    let o = if get("--learned", 0.0) > 0.0 { order::learned(&schema, &train, 100) } else { natural };
    let (train, valid, test) = (train.reordered(&o), valid.reordered(&o), test.reordered(&o));
    let (t, v, s) = (Rows::new(&train, &[], None), Rows::new(&valid, &[], None), Rows::new(&test, &[], None));
    let shape = Shape { units, activation: act, dropout: get("--dropout", 0.0), input_dropout: get("--input", 0.0) };
    let nade = Nade::new(shape, &t, &v);
    let rate = get("--rate", 0.0);
    let settings = Ascent {
        epochs: get("--epochs", 50.0) as usize,
        batch: get("--batch", 128.0) as usize,
        decay: get("--decay", 0.0),
        seed: get("--seed", 0.0) as u64,
        average: get("--average", 0.998),
        rate: if rate > 0.0 { Some(rate) } else { None },
        patience: get("--patience", 20.0) as usize,
        ..Ascent::default()
    };
    let start = nade.start(&mut rand_chacha::ChaCha8Rng::seed_from_u64(settings.seed));
    let t0 = Instant::now();
    let summit = climb(&nade, start, &settings, |e, ll| {
        if e % 10 == 0 {
            eprintln!("{e} {ll:.4} {:.1}s", t0.elapsed().as_secs_f32());
        }
        true
    });
    let secs = t0.elapsed().as_secs_f64();
    let testn = Nade::new(shape, &t, &s);
    let rate_of = summit.epochs as f64 * t.len() as f64 * t.width as f64 * units as f64 / secs;
    println!(
        "{set} H={units} {} valid {:.4} test {:.4} rate {:.4} epochs {} {secs:.1}s {:.2} G row*var*unit/s",
        args[3],
        summit.valid_ll,
        testn.validate(&summit.theta),
        summit.rate,
        summit.epochs,
        rate_of / 1e9
    );
}
