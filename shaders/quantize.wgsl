// Rows of activations as int8 in groups of 32, four to a word, each group with the f32 scale that its largest value
// asks for. Words first, then scales: output: (rows, K / 4 + K / 32); input: (rows, K / 4)

struct QuantizeParams {
    // K / 4
    inputs: u32,
    rows: u32,
}

const GROUP_VECTORS: u32 = 8;

@group(0) @binding(0) var<uniform> params: QuantizeParams;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

// One invocation a group.
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let groups = params.inputs / GROUP_VECTORS;
    let group = invocation.x;
    let row = invocation.y;
    if group >= groups {
        return;
    }
    let first = row * params.inputs + group * GROUP_VECTORS;
    var largest = vec4<f32>(0.0);
    for (var i = 0u; i < GROUP_VECTORS; i++) {
        largest = max(largest, abs(input[first + i]));
    }
    let most = max(max(largest.x, largest.y), max(largest.z, largest.w));
    let to_quant = select(0.0, 1.0 / most, most > 1e-30);
    let at = row * (params.inputs + groups);
    for (var i = 0u; i < GROUP_VECTORS; i++) {
        output[at + group * GROUP_VECTORS + i] = pack4x8snorm(input[first + i] * to_quant);
    }
    output[at + params.inputs + group] = bitcast<u32>(most / 127.0);
}
