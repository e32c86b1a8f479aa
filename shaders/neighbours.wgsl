// The values of each token and its neighbours, with zeros beyond the ends of a document, as a convolution reads them.
// input: (T, hidden), output: (T, hidden · taps), all taps of a column together

struct NeighboursParams {
    hidden: u32,
    taps: u32,
    rows: u32,
}

@group(0) @binding(0) var<uniform> params: NeighboursParams;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> tokens: array<Token>;
// Where each document starts, and where the last one ends: (D + 1)
@group(0) @binding(3) var<storage, read> starts: array<u32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let width = params.hidden * params.taps;
    let at = invocation.x;
    let row = invocation.y;
    if at >= width || row >= params.rows {
        return;
    }
    let document = tokens[row].z;
    // Before the first row, this is larger than any.
    let neighbour = row + at % params.taps - params.taps / 2;
    var value = 0.0;
    if neighbour >= starts[document] && neighbour < starts[document + 1] {
        value = input[neighbour * params.hidden + at / params.taps];
    }
    output[row * width + at] = value;
}
