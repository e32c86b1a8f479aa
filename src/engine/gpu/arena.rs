//! The buffers of a batch: activations by width, token tables, staging. They are kept from batch to batch and grow
//! with the largest one, so that a steady stream of batches creates nothing.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::device::Device;
use crate::engine::RowsOf;
use crate::error::Result;
use crate::text::Batch;

/// Kernels work on tiles of rows; buffers have room for whole ones.
const ROW_TILE: usize = 64;

/// How many query rows of one document a quad attends from; `attention_quads.wgsl`.
const QUAD_ROWS: usize = 4;

/// Bytes of rows of documents up to which there may be room for more of them than a batch has.
const MOST_SPARE: u64 = 32 << 20;

/// A buffer with a number by which bindings are remembered.
#[derive(Debug)]
pub(super) struct Numbered {
    pub(super) buffer: wgpu::Buffer,
    pub(super) id: u64,
}

impl Drop for Numbered {
    fn drop(&mut self) {
        self.buffer.destroy();
    }
}

/// Rows of activations on the device, `(rows, width)` f32.
#[derive(Clone, Debug)]
pub struct Rows {
    pub(super) of: RowsOf,
    pub(super) width: usize,
    numbered: Rc<Numbered>,
}

impl Rows {
    pub(super) fn buffer(&self) -> &wgpu::Buffer {
        &self.numbered.buffer
    }

    pub(super) fn numbered(&self) -> &Numbered {
        &self.numbered
    }
}

/// A number for rows of tokens, and one for rows of documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PerKind {
    pub(super) tokens: usize,
    pub(super) documents: usize,
}

impl PerKind {
    fn get(self, of: RowsOf) -> usize {
        match of {
            RowsOf::Tokens => self.tokens,
            RowsOf::Documents => self.documents,
        }
    }
}

/// All buffers that live as long as the device and whose contents live as long as a batch.
pub(super) struct Arena {
    /// Rows that fit into every buffer.
    capacity: PerKind,
    /// Kind and width → buffers; one that nobody else holds is free.
    rows: BTreeMap<(RowsOf, usize), Vec<Rc<Numbered>>>,
    /// `(id, position, document, 0)` of each token row.
    tokens: Numbered,
    /// Where each document starts, and where the last one ends.
    starts: Numbered,
    /// The first row and the document of each [`QUAD_ROWS`] rows.
    tiles: Numbered,
    tile_count: usize,
    /// Where results are read from, as far as none is on its way there. Two where batches overlap.
    staging: Vec<wgpu::Buffer>,
    /// What each of them has room for.
    largest_result: u64,
}

const STORAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);
const STAGING: wgpu::BufferUsages = wgpu::BufferUsages::MAP_READ.union(wgpu::BufferUsages::COPY_DST);

impl Arena {
    pub(super) fn new(device: &Device) -> Self {
        let small =
            |label| Numbered { buffer: device.allowed_buffer(label, 16, STORAGE), id: device.next_id() };
        Self {
            capacity: PerKind::default(),
            rows: BTreeMap::new(),
            tokens: small("tokens"),
            starts: small("starts"),
            tiles: small("tiles"),
            tile_count: 0,
            staging: Vec::new(),
            largest_result: 0,
        }
    }

    /// Makes room for a batch whose widest rows of each kind have so many columns, and writes its tables. Says whether
    /// buffers were replaced.
    pub(super) fn begin(&mut self, device: &Device, batch: &Batch, widest: PerKind) -> Result<bool> {
        let room = |rows: usize| rows.next_power_of_two().next_multiple_of(ROW_TILE);
        let mut capacity = PerKind {
            tokens: room(batch.tokens()).max(self.capacity.tokens),
            documents: room(batch.documents()).max(self.capacity.documents),
        };
        // An earlier batch may have had many documents, of which nobody wanted anything wide.
        if row_bytes(capacity.documents, widest.documents) > MOST_SPARE {
            capacity.documents = room(batch.documents());
        }
        for (rows, width) in [(capacity.tokens, widest.tokens), (capacity.documents, widest.documents)] {
            device.check_size(&format!("a batch of {} tokens", batch.tokens()), row_bytes(rows, width))?;
        }
        let changed = capacity != self.capacity;
        if changed {
            self.clear();
            let numbered = |label, size| -> Result<Numbered> {
                Ok(Numbered { buffer: device.buffer(label, size, STORAGE)?, id: device.next_id() })
            };
            let PerKind { tokens, documents } = capacity;
            self.tokens = numbered("tokens", (tokens * 16) as u64)?;
            self.starts = numbered("starts", ((documents + 1) * 4).next_multiple_of(16) as u64)?;
            // At most one for each token.
            self.tiles = numbered("tiles", (tokens * 8) as u64)?;
            self.capacity = capacity;
        }
        let tokens: Vec<[u32; 4]> = batch
            .ids
            .iter()
            .zip(batch.positions())
            .zip(batch.document_of_row())
            .map(|((&id, position), document)| [id, position, document, 0])
            .collect();
        device.queue.write_buffer(&self.tokens.buffer, 0, bytemuck::cast_slice(&tokens));
        device.queue.write_buffer(&self.starts.buffer, 0, bytemuck::cast_slice(&batch.starts));
        let tiles: Vec<[u32; 2]> = (0..batch.documents())
            .flat_map(|document| {
                let rows = batch.rows(document);
                rows.step_by(QUAD_ROWS).map(move |row| [row as u32, document as u32])
            })
            .collect();
        self.tile_count = tiles.len();
        device.queue.write_buffer(&self.tiles.buffer, 0, bytemuck::cast_slice(&tiles));
        Ok(changed)
    }

    /// A free buffer for rows of a width; the same sequence of requests gives the same buffers.
    pub(super) fn rows(&mut self, device: &Device, of: RowsOf, width: usize) -> Rows {
        let capacity = self.capacity.get(of);
        let pool = self.rows.entry((of, width)).or_default();
        let free = pool.iter().find(|numbered| Rc::strong_count(numbered) == 1).map(Rc::clone);
        let numbered = free.unwrap_or_else(|| {
            let size = row_bytes(capacity, width);
            let numbered = Rc::new(Numbered {
                buffer: device.allowed_buffer("activations", size, STORAGE),
                id: device.next_id(),
            });
            pool.push(Rc::clone(&numbered));
            numbered
        });
        Rows { of, width, numbered }
    }

    /// Lets go of everything, as at the start.
    pub(super) fn clear(&mut self) {
        self.capacity = PerKind::default();
        self.rows.clear();
        self.staging.drain(..).for_each(|staging| staging.destroy());
        self.largest_result = 0;
    }

    pub(super) fn tokens(&self) -> &Numbered {
        &self.tokens
    }

    pub(super) fn starts(&self) -> &Numbered {
        &self.starts
    }

    /// The first row and the document of each four rows of one document, and how many such fours there are.
    pub(super) fn tiles(&self) -> (&Numbered, usize) {
        (&self.tiles, self.tile_count)
    }

    /// A buffer with room for a result, until it is [given back](Arena::give_back).
    pub(super) fn staging(&mut self, device: &Device, size: u64) -> Result<wgpu::Buffer> {
        self.largest_result = self.largest_result.max(size.next_power_of_two());
        if let Some(staging) = self.staging.pop() {
            if staging.size() >= self.largest_result {
                return Ok(staging);
            }
            staging.destroy();
        }
        device.buffer("the results", self.largest_result, STAGING)
    }

    /// Takes a buffer back that nobody reads any more.
    pub(super) fn give_back(&mut self, staging: wgpu::Buffer) {
        self.staging.push(staging);
    }

    pub(super) fn bytes(&self) -> u64 {
        let staging: u64 = self.staging.iter().map(wgpu::Buffer::size).sum();
        let rows: u64 = self.rows.values().flatten().map(|numbered| numbered.buffer.size()).sum();
        rows + self.tokens.buffer.size() + self.starts.buffer.size() + self.tiles.buffer.size() + staging
    }

    pub(super) fn objects(&self) -> usize {
        self.rows.values().map(Vec::len).sum()
    }

    /// Overwrites all rows with NaN.
    pub(super) fn poison(&self, device: &Device) {
        for numbered in self.rows.values().flatten() {
            let nan = vec![f32::NAN; (numbered.buffer.size() / 4) as usize];
            device.queue.write_buffer(&numbered.buffer, 0, bytemuck::cast_slice(&nan));
        }
    }
}

/// Bytes of a buffer of activations.
fn row_bytes(rows: usize, width: usize) -> u64 {
    (rows as u64 * width as u64 * 4).next_multiple_of(16)
}
