//! The address of every public function, so that each is linked for any arguments. `cargo xtask test` compares the list with
//! the source of the library. Functions that take a closure have no address; `main.rs` calls them.

use core::fmt::Display;
use core::hint::black_box;
use core::iter::Empty;
use embedded_storage::nor_flash::NorFlashErrorKind;
use surprisal::generated::v5;
use surprisal::{
    Absence, Accepted, Activation, Adaptation, AnomalyScore, Blame, Calibrator, Column, ColumnScore, Compressor,
    Conditional, Constraint, Cusum, Decompressor, Detector, Drift, DriftEstimate, EncodeError, Encoder, Fingerprint,
    Forest, Incoming, Installed, Linear, Logit, Mass, Masses, Mixture, Model, Monitor, Nade, NamedReport, Nats,
    OffsetSums, Offsets, OutcomeTables, OutcomeWalk, PValue, Packet, PacketError, PacketRows, PacketWriter, Packets,
    Predictor, Prototypes, Reading, Recalibration, Received, Recent, Report, RowCodec, RowSchema, RowScore,
    SelfTestError, Severity, Slots, Stream, Table, TableError, Term, Terms, UpdateError, UpdateHeader, Verdict, View,
    ViewTable, Walk, Watch, WatchedRow, flags, total_order,
};

use crate::Hardware;

type Bits = Table<'static, 64, 32, 8>;
type Views = ViewTable<'static, 9, 2>;

macro_rules! linked {
    ($($of:ty: $($name:ident $(<$with:tt>)?)+;)+) => { $($( _ = black_box(<$of>::$name$(::<$with>)? as *const ()); )+)+ };
}

macro_rules! terms {
    ($($of:ty)+) => { $(
        _ = black_box(<$of as Term<64>>::start as *const ());
        _ = black_box(<$of as Term<64>>::logit as *const ());
        _ = black_box(<$of as Term<64>>::observe as *const ());
    )+ };
}

macro_rules! shown {
    ($($of:ty)+) => { $( _ = black_box(<$of as Display>::fmt as *const ()); )+ };
}

pub fn linked() {
    linked! {
        Absence<4>: new push rows;
        Accepted: install<Hardware> table;
        Activation: code;
        Adaptation: corrections new push resume;
        AnomalyScore: nats new push;
        Blame: is_ambiguous;
        Calibrator<99>: finish new push rows;
        Column: bits decode encode outcome_index outcomes words;
        ColumnScore: excess;
        Compressor<fn(u8)>: finish new push push_outcome;
        Conditional: mass surprisal;
        Cusum: new push reset sum;
        Decompressor<Empty<u8>>: new pull pull_outcome;
        Constraint: condition from_raw implied implied_value raw;
        Detector: at baseline from_words judge largest_baseline levels p_value severity words;
        Drift: estimate new push reset;
        DriftEstimate: is_drifted;
        Encoder: bits columns encode<64> new slices;
        Fingerprint: get new;
        Forest: bits new slices;
        Incoming: finish<Hardware> new<Hardware> progress push<Hardware>;
        Installed: is_confirmed release table;
        Linear: bits new slices;
        Logit: from_raw mass raw step surprisal;
        Mass: decide of;
        Masses: bounds decide mass mode outcomes surprisal tail;
        Mixture<8>: bits components logit_of new slices;
        Model<64, Terms<32, 8>>: bits constraints explain new surprisal terms walk;
        Monitor: new push reset resume;
        Nade<32>: bits new slices units;
        Nats: from_raw millinats of_mass raw saturating_sub;
        OffsetSums: push;
        Offsets<9>: apply from_bytes restore write;
        OutcomeTables: columns new slices split split_parts surprisal walk;
        OutcomeWalk: next;
        PValue: from_ppm ppm;
        Packet: payload row_count rows<Bits> tag;
        PacketRows<Bits>: next;
        PacketRows<Views>: next;
        PacketWriter<Bits>: finish new push rows;
        PacketWriter<Views>: finish new push rows;
        Packets: new next position with_checksum;
        Predictor: fixed new numbers residual slices states width window;
        Prototypes: centre count nearest<9> new residual slices;
        Reading: from_decimal is_missing less to_decimal;
        Recalibration: detector from_bytes to_bytes;
        Received: header table without_signature;
        Recent<8>: mean new push reset;
        RowCodec<Bits>: history_length new readings tag;
        RowCodec<Views>: history_length new readings tag;
        RowSchema: check reading word;
        RowScore: of;
        Severity: word;
        Slots: capacity confirm<Hardware> discard<Hardware> new start<Hardware> with_factory_release;
        Stream<2, 3>: new push reset;
        Table<64, 32, 8>: blame explain from_bytes judge new offset_scales score self_test<9> surprisal top<3> with_predictor with_schema;
        Terms<32, 8>: bits;
        UpdateHeader: from_bytes split to_bytes;
        Verdict: is_anomalous;
        View: distance<9> encode<9> explain<9> regime<9> starts;
        ViewTable<9, 1>: blame explain from_bytes judge new offset_scales regime score self_test<9> surprisal with_schema;
        ViewTable<9, 2>: blame explain from_bytes judge new offset_scales regime score self_test<9> surprisal with_schema;
        Walk<64, Terms<32, 8>>: next observe;
        Watch<Hardware>: judge new release;
        WatchedRow<()>: named;
    }
    _ = black_box((total_order as *const (), flags::<Hardware, 2> as *const ()));
    _ = black_box(v5::table::<64, 32, 8> as *const ());
    _ = black_box(v5::view_table::<9, 2> as *const ());
    terms! { Linear Forest Nade<32> Mixture<8> Terms<32, 8> }
    shown! { Fingerprint NamedReport Nats PacketError PValue Report DriftEstimate EncodeError SelfTestError TableError UpdateError<NorFlashErrorKind> }
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
