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
    /// Fraction of the one bits of each row that are dropped from the layer's input.
    pub input_dropout: f32,
}

/// Pairs of a name that `--activation` accepts and its activation.
const ACTIVATIONS: [(&str, Activation); 3] =
    [("relu", Activation::Relu), ("sigmoid", Activation::Sigmoid), ("identity", Activation::Identity)];

/// Returns the activation with a name, or `None` if the name is unknown.
pub fn activation_named(name: &str) -> Option<Activation> {
    ACTIVATIONS.iter().find(|(known, _)| *known == name).map(|&(_, activation)| activation)
}

/// Returns the name of an activation, as `--activation` accepts it.
pub fn activation_name(activation: Activation) -> &'static str {
    ACTIVATIONS.iter().find(|(_, known)| *known == activation).map_or("unknown", |(name, _)| name)
}
