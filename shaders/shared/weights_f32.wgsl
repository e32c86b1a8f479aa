// f32 weights in tiles of 4 outputs × 4 inputs; a tile is 4 vectors, one an output.
// weights: (N / 4, K / 4, 4)

@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> scales: array<vec2<u32>>;

fn group_scales(group: u32) -> vec4<f32> {
    return vec4<f32>(1.0);
}

// Column n of the result holds 4 inputs of output n.
fn weight_tile(tile: u32, scale: vec4<f32>) -> mat4x4<f32> {
    let at = tile * 4;
    return mat4x4<f32>(weights[at], weights[at + 1], weights[at + 2], weights[at + 3]);
}
