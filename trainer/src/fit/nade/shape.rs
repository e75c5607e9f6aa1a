//! Shape of a hidden layer, and the names of its activations.

use surprisal::Activation;

/// Size and activation of a hidden layer, and its dropout during training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerShape {
    /// Number of units, up to 256.
    pub units: usize,
    /// Function that turns a unit's weighted sum into its output.
    pub activation: Activation,
    /// Fraction of units that are dropped for each row (Srivastava et al. 2014).
    pub dropout: f32,
    /// Fraction of ones that are dropped from the layer's input for each row.
    pub input_dropout: f32,
}

/// Activations with the names that `--activation` takes.
const ACTIVATIONS: [(&str, Activation); 3] =
    [("relu", Activation::Relu), ("sigmoid", Activation::Sigmoid), ("identity", Activation::Identity)];

/// Returns the activation of a name, or `None` if no activation has it.
pub fn activation_named(name: &str) -> Option<Activation> {
    ACTIVATIONS.iter().find(|(known, _)| *known == name).map(|&(_, activation)| activation)
}

/// Returns the name of an activation.
pub fn activation_name(activation: Activation) -> &'static str {
    ACTIVATIONS.iter().find(|(_, known)| *known == activation).map_or("unknown", |(name, _)| name)
}
