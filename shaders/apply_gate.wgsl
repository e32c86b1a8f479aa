// x · gate[document of the row] + residual.
// input, residual, output: (rows, H / 4), gates: (D)

struct ApplyGateParams {
    hidden: u32,
    rows: u32,
}

override HAS_RESIDUAL: bool = false;

@group(0) @binding(0) var<uniform> params: ApplyGateParams;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> gates: array<f32>;
@group(0) @binding(3) var<storage, read> tokens: array<Token>;
@group(0) @binding(4) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> output: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let column = invocation.x;
    let row = invocation.y;
    let columns = params.hidden / 4;
    if column >= columns || row >= params.rows {
        return;
    }
    let at = row * columns + column;
    var y = input[at] * gates[tokens[row].z];
    if HAS_RESIDUAL {
        y += residual[at];
    }
    output[at] = y;
}
