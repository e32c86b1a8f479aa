// Layer normalization of one row a workgroup: y = (x - mean) / sqrt(variance + epsilon) * weight + bias.
//
// The kernel that includes this defines `input_value(row, column)`, the row to normalize in vectors of four, and
// `finish(row, column, y)`. The mean comes first and the variance around it second: their one-pass form loses
// digits where the mean is large.
// norm_weight, norm_bias: (H / 4); output: (rows, H / 4)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = workgroup.x;
    let columns = params.hidden / 4;

    var sum = 0.0;
    for (var column = local; column < columns; column += WORKGROUP) {
        sum += dot(input_value(row, column), vec4<f32>(1.0));
    }
    let mean = workgroup_sum(local, sum) / f32(params.hidden);

    var squares = 0.0;
    for (var column = local; column < columns; column += WORKGROUP) {
        let centered = input_value(row, column) - mean;
        squares += dot(centered, centered);
    }
    let variance = workgroup_sum(local, squares) / f32(params.hidden);
    let inverse = inverseSqrt(variance + params.epsilon);

    for (var column = local; column < columns; column += WORKGROUP) {
        let normed = (input_value(row, column) - mean) * inverse;
        let y = normed * norm_weight[column] + norm_bias[column];
        output[row * columns + column] = finish(row, column, y);
    }
}
