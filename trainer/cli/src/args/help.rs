//! Help texts of the values of options.

use surprisal::Activation;
use surprisal_trainer::data::Header;
use surprisal_trainer::export::{Board, Ecosystem, Language};
use surprisal_trainer::fit::Family;
use surprisal_trainer::fit::optimizer::{Method, Schedule};

/// Returns the help text of a value of `--family`.
pub fn family_help(family: Family) -> &'static str {
    match family {
        Family::LinearTrees => "A linear term and a tree, fitted jointly",
        Family::Marginal => "One bias per bit: all columns are independent",
        Family::ChowLiu => "A tree over the bits of one other column, along a maximum spanning tree",
        Family::Tree => "A tree over all earlier bits",
        Family::Linear => "A linear term over all earlier bits",
        Family::Boost => "Many small trees, each fitted to the residuals of the previous trees",
        Family::Mixture => "A mixture of trees; the most accurate family for files of 1 KiB",
        Family::Nade => "A hidden layer that all conditionals share",
        Family::LinearTreesHidden => "The mean of the logits of linear-trees and a hidden layer",
        Family::Tables => {
            "Outcome tables in two views: small and fast detectors of sensor columns; linear-trees if no column is numeric"
        }
        Family::Auto => "The model that predicts the validation rows best within --flash, --ram and --ops",
    }
}

/// Returns the help text of a value of `--activation`.
pub fn activation_help(activation: Activation) -> &'static str {
    match activation {
        Activation::Relu => "max(0, x)",
        Activation::Sigmoid => "1 / (1 + exp(-x))",
        _ => "x",
    }
}

/// Returns the help text of a value of `--optimizer`.
pub fn method_help(method: Method) -> &'static str {
    match method {
        Method::Sgd => "Plain gradient steps (Robbins & Monro 1951)",
        Method::Momentum => "A running sum of gradients that keeps nine tenths per step (Polyak 1964)",
        Method::Adam => "Steps of about the learning rate in every parameter (Kingma & Ba 2015)",
    }
}

/// Returns the help text of a value of `--schedule`.
pub fn schedule_help(schedule: Schedule) -> &'static str {
    match schedule {
        Schedule::Constant => "The rate stays constant",
        Schedule::Inverse => "The rate is divided by 1 + 10 t, where t is the share of all steps that are done",
        Schedule::Step => "The rate falls to a tenth after half of all steps, to a hundredth after three quarters",
        Schedule::Cosine => "The rate falls to zero along half a cosine wave (Loshchilov & Hutter 2017)",
    }
}

/// Returns the help text of a value of `--header`.
pub fn header_help(header: Header) -> &'static str {
    match header {
        Header::Auto => "The first line names the columns if no cell of it is a reading",
        Header::Yes => "The first line names the columns",
        Header::No => "The first line is a row; columns are called x0, x1, …",
    }
}

/// Returns the help text of a value of `--package`.
pub fn ecosystem_help(ecosystem: Ecosystem) -> &'static str {
    match ecosystem {
        Ecosystem::Zephyr => "A Zephyr module",
        Ecosystem::Arduino => "An Arduino library",
        Ecosystem::Platformio => "A PlatformIO library",
        Ecosystem::EspIdf => "An ESP-IDF component",
    }
}

/// Returns the help text of a value of `--board`.
pub fn board_help(board: Board) -> &'static str {
    match board {
        Board::Microbit => "A BBC micro:bit v2",
        Board::Pico => "A Raspberry Pi Pico",
        Board::Nucleo => "An STM32 NUCLEO-F401RE",
        Board::QemuM3 => "An emulated Cortex-M3: QEMU's mps2-an385",
        Board::QemuM4 => "An emulated Cortex-M4F: QEMU's mps2-an386",
    }
}

/// Returns the help text of a value of `--lang`.
pub fn language_help(language: Language) -> &'static str {
    match language {
        Language::Rust => "Rust, with the crate surprisal",
        Language::C => "C99, with the C reader; for emulated boards",
    }
}
