// What a tile of an operand is kept in: half the memory, and half of what is read from it.

alias Multiplicands = vec4<f16>;

const LARGEST_F16 = 65504.0;

// WGSL does not promise what becomes of a value that f16 cannot hold.
fn multiplicands(x: vec4<f32>) -> Multiplicands {
    return Multiplicands(clamp(x, vec4<f32>(-LARGEST_F16), vec4<f32>(LARGEST_F16)));
}
