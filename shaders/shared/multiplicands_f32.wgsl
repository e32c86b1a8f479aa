// What a tile of an operand is kept in.

alias Multiplicands = vec4<f32>;

fn multiplicands(x: vec4<f32>) -> Multiplicands {
    return x;
}
