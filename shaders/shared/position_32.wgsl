// What one invocation of a quad reads of a row of positions for a head of 32 columns: every fourth vector.

fn position_part(at: u32) -> HeadPart {
    return HeadPart(positions[at], positions[at + 4]);
}
