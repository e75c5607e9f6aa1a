//! Every public function by its address, so that each is linked as it stands, for any arguments. `cargo xtask test` compares
//! the list with the core's source; what takes a closure has no address and is called in `main.rs`.

use core::fmt::Display;
use core::hint::black_box;
use core::iter::Empty;
use surprisal::{
    Column, Compressor, Conditional, Cusum, Decompressor, Detector, Drift, EncodeError, Encoder, DriftEstimate, Forest, Constraint,
    Linear, Logit, Mask, Mass, Mixture, Model, Monitor, Nade, Nats, AnomalyScore, PValue, Term, Terms, Predictor, Recent,
    Report, ColumnScore, Steady, Stream, Sum, RowScore, Table, TableError, Verdict, Walk, Watch, flags, total_order,
};

use crate::Hardware;

macro_rules! linked {
    ($($of:ty: $($name:ident $(<$with:tt>)?)+;)+) => { $($( _ = black_box(<$of>::$name$(::<$with>)? as *const ()); )+)+ };
}

macro_rules! parts {
    ($($of:ty)+) => { $(
        _ = black_box(<$of as Term<64>>::start as *const ());
        _ = black_box(<$of as Term<64>>::logit as *const ());
        _ = black_box(<$of as Term<64>>::observe as *const ());
        _ = black_box(<$of as Steady<64>>::steady_logit as *const ());
        _ = black_box(<$of as Steady<64>>::steady_observe as *const ());
    )+ };
}

macro_rules! shown {
    ($($of:ty)+) => { $( _ = black_box(<$of as Display>::fmt as *const ()); )+ };
}

pub fn linked() {
    linked! {
        Column: bits decode encode words;
        Compressor<fn(u8)>: finish new push;
        Conditional: mass surprisal;
        Cusum: new push reset sum;
        Decompressor<Empty<u8>>: new pull;
        Detector: judge levels largest_baseline p_value usual_of;
        Drift: excess new push reset;
        Encoder: bits columns encode<64> new slices;
        DriftEstimate: is_drifted;
        Forest: bits new slices;
        Constraint: condition forces from_raw new raw;
        Linear: bits new slices;
        Logit: from_raw mass raw step surprisal;
        Mask: of pick;
        Mass: decide of;
        Mixture<8>: bits components logit_of new slices;
        Model<64, Terms<32, 8>>: bits explain new pieces steady surprisal walk;
        Monitor: new push reset;
        Nade<32>: bits new slices units;
        Nats: from_raw millinats raw saturating_sub;
        AnomalyScore: nats new push;
        PValue: from_ppm ppm;
        Predictor: fixed new numbers residual slices states width window;
        Recent<8>: mean new push reset;
        ColumnScore: excess;
        Stream<2, 3>: new push reset;
        RowScore: of;
        Table<64, 32, 8>: after explain from_bytes judge new score steady surprise top<3>;
        Verdict: is_odd;
        Walk<64, Terms<32, 8>>: next observe;
        Watch<Hardware>: judge new release;
    }
    _ = black_box((total_order as *const (), flags::<Hardware, 2> as *const ()));
    parts! { Linear Forest Nade<32> Mixture<8> Sum<Linear, Forest> }
    shown! { Nats PValue Report DriftEstimate EncodeError TableError }
    #[cfg(feature = "features")]
    of_signals();
}

#[cfg(feature = "features")]
fn of_signals() {
    use surprisal::{Feature, Features, Libm, Math, Micromath, Samples};
    linked! {
        Feature: band;
        Features: row<Libm> row<Micromath>;
        Samples<16, 2>: new push<Libm> push<Micromath>;
    }
    _ = black_box((<Libm as Math>::ln as *const (), <Micromath as Math>::ln as *const ()));
    _ = black_box((<Libm as Math>::sqrt as *const (), <Micromath as Math>::sqrt as *const ()));
}
