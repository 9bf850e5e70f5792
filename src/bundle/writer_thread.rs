//! A thread that writes, so that digesting and copying into the kernel do not wait for what makes the bytes, nor the
//! other way round.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use crate::base::threads;

/// How much is collected before it is handed over, in bytes.
const BLOCK_BYTES: usize = 64 * 1024;
/// How many blocks may wait, of all writers together.
const WAITING_BLOCKS: usize = 16;

enum WriterJob<W> {
    Open(usize, W),
    Block(usize, Vec<u8>),
    Close(usize, SyncSender<io::Result<W>>),
}

/// The thread. It ends when this and all that was [opened](Self::open) is gone; nothing waits for that, because every
/// writer is taken back by its [`QueuedWriter`]. Where there can be no further thread, whoever makes the bytes writes them.
#[derive(Debug)]
pub(super) struct WriterThread<W> {
    jobs: Option<SyncSender<WriterJob<W>>>,
    spent: Arc<SpentBlocks>,
    opened: usize,
}

/// Blocks that were written and can be filled again. To allocate each anew costs more than to fill it.
#[derive(Debug, Default)]
struct SpentBlocks(Mutex<Vec<Vec<u8>>>);

impl SpentBlocks {
    fn take(&self) -> Vec<u8> {
        let spent = self.0.lock().ok().and_then(|mut spent| spent.pop());
        spent.unwrap_or_else(|| Vec::with_capacity(BLOCK_BYTES))
    }

    fn put(&self, mut block: Vec<u8>) {
        // One that had to hold more is not kept at that size.
        if let Ok(mut spent) = self.0.lock()
            && spent.len() < WAITING_BLOCKS
            && block.capacity() <= 2 * BLOCK_BYTES
        {
            block.clear();
            spent.push(block);
        }
    }
}

/// One writer's end of it. Dropped without a [close](Self::close), it takes its writer back and drops it.
#[derive(Debug)]
pub(super) struct QueuedWriter<W> {
    to: WriterTarget<W>,
    spent: Arc<SpentBlocks>,
    block: Vec<u8>,
}

/// Where bytes go to: a thread, or the file itself.
#[derive(Debug)]
enum WriterTarget<W> {
    /// The thread, which knows the writer by this number.
    Thread(SyncSender<WriterJob<W>>, usize),
    /// Whoever made the bytes; or the first error.
    Here(io::Result<W>),
    /// Nobody any more: the writer was taken back.
    Closed,
}

impl<W: Write + Send + 'static> WriterThread<W> {
    /// Starts the thread, if there can be one.
    pub(super) fn start() -> Self {
        let (jobs, todo) = sync_channel(WAITING_BLOCKS);
        let spent = Arc::<SpentBlocks>::default();
        let returned = Arc::clone(&spent);
        let started =
            threads::builder().and_then(|new| new.name("bundle-writer".into()).spawn(move || work(&todo, &returned)));
        Self { jobs: started.ok().map(|_| jobs), spent, opened: 0 }
    }

    /// Hands a writer over. What is written to the result goes to it in order; its errors show at the end.
    pub(super) fn open(&mut self, writer: W) -> io::Result<QueuedWriter<W>> {
        let number = self.opened;
        self.opened += 1;
        let to = match &self.jobs {
            Some(jobs) => {
                jobs.send(WriterJob::Open(number, writer)).map_err(|_| gone())?;
                WriterTarget::Thread(jobs.clone(), number)
            }
            None => WriterTarget::Here(Ok(writer)),
        };
        let spent = Arc::clone(&self.spent);
        Ok(QueuedWriter { to, block: spent.take(), spent })
    }
}

impl<W: Write> QueuedWriter<W> {
    fn hand_over(&mut self) -> io::Result<()> {
        match &mut self.to {
            WriterTarget::Thread(jobs, number) => {
                let block = std::mem::replace(&mut self.block, self.spent.take());
                return jobs.send(WriterJob::Block(*number, block)).map_err(|_| gone());
            }
            WriterTarget::Here(writer) => {
                if let Ok(open) = writer
                    && let Err(error) = open.write_all(&self.block)
                {
                    *writer = Err(error);
                }
                self.block.clear();
            }
            WriterTarget::Closed => {}
        }
        Ok(())
    }

    /// Waits until everything was written, and gives the writer back.
    ///
    /// # Errors
    /// The first error of a write.
    pub(super) fn close(mut self) -> io::Result<W> {
        if !self.block.is_empty() {
            self.hand_over()?;
        }
        self.to.take_back()
    }
}

impl<W> WriterTarget<W> {
    fn take_back(&mut self) -> io::Result<W> {
        match std::mem::replace(self, Self::Closed) {
            Self::Thread(jobs, number) => {
                let (done, wait) = sync_channel(1);
                jobs.send(WriterJob::Close(number, done)).map_err(|_| gone())?;
                wait.recv().map_err(|_| gone())?
            }
            Self::Here(writer) => writer,
            Self::Closed => Err(gone()),
        }
    }
}

impl<W> Drop for QueuedWriter<W> {
    fn drop(&mut self) {
        // What was written is given up, and so is an error.
        let _ = self.to.take_back();
    }
}

impl<W: Write> Write for QueuedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.block.len() + bytes.len() > BLOCK_BYTES && !self.block.is_empty() {
            self.hand_over()?;
        }
        self.block.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Hands over what was collected; it is written some time later.
    fn flush(&mut self) -> io::Result<()> {
        self.hand_over()
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that writes the bundle has ended")
}

/// A writer that is open, or its first error.
type WriterSlot<W> = (usize, io::Result<W>);

fn work<W: Write>(todo: &Receiver<WriterJob<W>>, spent: &SpentBlocks) {
    // Few are open at a time, and most jobs are for one of the last.
    let mut open: Vec<WriterSlot<W>> = Vec::new();
    while let Ok(job) = todo.recv() {
        match job {
            WriterJob::Open(number, writer) => open.push((number, Ok(writer))),
            WriterJob::Block(number, block) => {
                if let Some((_, slot)) = open.iter_mut().find(|slot| slot.0 == number)
                    && let Ok(writer) = slot
                    && let Err(error) = writer.write_all(&block)
                {
                    *slot = Err(error);
                }
                spent.put(block);
            }
            WriterJob::Close(number, done) => {
                let Some(at) = open.iter().position(|slot| slot.0 == number) else { continue };
                // Somebody waits, or this thread is the last to know.
                let _ = done.send(open.swap_remove(at).1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the thread, and without.
    fn both<W: Write + Send + 'static>() -> [WriterThread<W>; 2] {
        [WriterThread::start(), WriterThread { jobs: None, ..WriterThread::start() }]
    }

    #[test]
    fn what_many_writers_write_arrives_in_order() {
        both().into_iter().for_each(many_writers);
    }

    fn many_writers(mut thread: WriterThread<Vec<u8>>) {
        let mut outs: Vec<_> = (0..5).map(|_| thread.open(Vec::new()).unwrap()).collect();
        let mut expected = vec![Vec::new(); 5];
        for n in 0..40_000_usize {
            let bytes = n.to_le_bytes().repeat(1 + n % 7);
            outs[n % 5].write_all(&bytes).unwrap();
            expected[n % 5].extend_from_slice(&bytes);
        }
        let large = vec![7; 3 * BLOCK_BYTES];
        outs[2].write_all(&large).unwrap();
        expected[2].extend_from_slice(&large);
        for (out, expected) in outs.into_iter().zip(expected) {
            assert_eq!(out.close().unwrap(), expected);
        }
    }

    #[test]
    fn the_first_error_shows_at_the_end() {
        /// Takes so many bytes.
        #[derive(Debug)]
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for mut thread in both() {
            let mut full = thread.open(Full(BLOCK_BYTES)).unwrap();
            let mut enough = thread.open(Full(BLOCK_BYTES)).unwrap();
            for _ in 0..4 {
                full.write_all(&[0; BLOCK_BYTES]).unwrap();
            }
            enough.write_all(&[0; 10]).unwrap();
            assert_eq!(full.close().unwrap_err().kind(), io::ErrorKind::StorageFull);
            assert_eq!(enough.close().unwrap().0, BLOCK_BYTES - 10);
        }
    }

    #[test]
    fn a_dropped_end_drops_its_writer_at_once() {
        struct Counted(#[expect(dead_code, reason = "it is there to be dropped")] Arc<()>);
        impl Write for Counted {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut thread = WriterThread::start();
        let count = Arc::new(());
        let mut given_up = thread.open(Counted(count.clone())).unwrap();
        given_up.write_all(&[0; 2 * BLOCK_BYTES]).unwrap();
        assert_eq!(Arc::strong_count(&count), 2);
        drop(given_up);
        assert_eq!(Arc::strong_count(&count), 1);
        thread.open(Counted(count.clone())).unwrap().close().unwrap();
    }
}
