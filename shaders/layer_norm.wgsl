// LN(x + before) + after.
// input, before, after, output: (rows, H / 4)

struct LayerNormParams {
    hidden: u32,
    epsilon: f32,
}

override HAS_BEFORE: bool = false;
override HAS_AFTER: bool = false;

@group(0) @binding(0) var<uniform> params: LayerNormParams;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> before: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> norm_weight: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> norm_bias: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> after: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> output: array<vec4<f32>>;

fn input_value(row: u32, column: u32) -> vec4<f32> {
    let at = row * (params.hidden / 4) + column;
    if HAS_BEFORE {
        return input[at] + before[at];
    }
    return input[at];
}

fn is_stored(row: u32) -> bool {
    return true;
}

fn finish(row: u32, column: u32, y: vec4<f32>) -> vec4<f32> {
    if HAS_AFTER {
        return y + after[row * (params.hidden / 4) + column];
    }
    return y;
}
