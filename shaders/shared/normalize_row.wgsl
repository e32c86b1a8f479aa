// Layer normalization of one row by LANES invocations: y = (x - mean) / sqrt(variance + epsilon) * weight + bias.
//
// The kernel that includes this defines `input_value(row, column)`, the row to normalize in vectors of four,
// `finish(row, column, y)`, and `is_stored(row)`, whether anybody wants the row of it. The mean comes first and the variance around it second: their one-pass form loses
// digits where the mean is large.
// norm_weight, norm_bias: (H / 4); output: (rows, H / 4)

// Rows behind the last one are computed too; buffers have room for whole workgroups, and nobody reads them.

@compute @workgroup_size(LANES * ROWS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let local = invocation % LANES;
    let row = workgroup.x * ROWS + invocation / LANES;
    let columns = params.hidden / 4;

    var sum = 0.0;
    for (var column = local; column < columns; column += LANES) {
        sum += dot(input_value(row, column), vec4<f32>(1.0));
    }
    let mean = sum_of_lanes(local, sum) / f32(params.hidden);

    var squares = 0.0;
    for (var column = local; column < columns; column += LANES) {
        let centered = input_value(row, column) - mean;
        squares += dot(centered, centered);
    }
    let variance = sum_of_lanes(local, squares) / f32(params.hidden);
    let inverse = inverseSqrt(variance + params.epsilon);

    if !is_stored(row) {
        return;
    }
    for (var column = local; column < columns; column += LANES) {
        let normed = (input_value(row, column) - mean) * inverse;
        let y = normed * norm_weight[column] + norm_bias[column];
        output[row * columns + column] = finish(row, column, y);
    }
}
