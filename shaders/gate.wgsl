// The mean of σ(x · gate + bias) over the tokens of a document, one document a workgroup.
// input: (T, H / 4), gate: (H / 4), output: (D)

struct GateParams {
    hidden: u32,
    bias: f32,
}

@group(0) @binding(0) var<uniform> params: GateParams;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> gate: array<vec4<f32>>;
// Where each document starts, and where the last one ends: (D + 1)
@group(0) @binding(3) var<storage, read> starts: array<u32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let document = workgroup.x;
    let first = starts[document];
    let end = starts[document + 1];
    let columns = params.hidden / 4;

    var sum = 0.0;
    for (var token = first + local; token < end; token += LANES) {
        var score = params.bias;
        for (var column = 0u; column < columns; column++) {
            score += dot(input[token * columns + column], gate[column]);
        }
        sum += 1.0 / (1.0 + exp(-clamp(score, -80.0, 80.0)));
    }
    let total = sum_of_lanes(local, sum);
    if local == 0 {
        output[document] = total / f32(end - first);
    }
}
