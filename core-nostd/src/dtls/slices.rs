//! Public-key work with pauses, for executors of one thread.

use super::operation::{Done, Job, KxSecrets, Operation, Outcome, Share, room};
use crate::crypto::{Computation, CryptoError, KeyExchange, KxSecret, KxShared, NamedGroup, compact};
use crate::env::Rng;
use core::future::poll_fn;
use core::task::Poll;

impl Operation {
    /// Does the work in slices of a few milliseconds on a small chip. In
    /// between the future is pending and has woken itself, so that the
    /// executor serves others. What the provider cannot leave and go on with
    /// (see [`Computation`]) is one slice.
    pub async fn run_in_slices(self) -> Outcome {
        Outcome(self.try_run_in_slices().await)
    }

    async fn try_run_in_slices(self) -> Result<Done, CryptoError> {
        let provider = self.provider;
        let exchange = |group| provider.key_exchange(group).ok_or(CryptoError::Unsupported);
        // A kilobyte that stays where it is.
        let work = &mut Computation::new();
        Ok(match self.job {
            Job::Generate { groups, mut rng } => {
                let mut shares = room();
                let mut secrets = KxSecrets::new();
                let mut filled = 0;
                for group in groups {
                    let out = shares.get_mut(filled..).unwrap_or_default();
                    let secret = generate(work, exchange(group)?, &mut rng, out, &mut filled).await?;
                    secrets.push((group, secret)).map_err(|_| CryptoError::ShortBuffer)?;
                }
                shares.truncate(filled);
                Done::Generated { secrets, shares }
            }
            Job::Agree { group, secret, peer } => {
                Done::Agreed { shared: finish(work, exchange(group)?, &secret, &peer).await? }
            }
            Job::Respond { group, peer, mut rng } => respond(work, exchange(group)?, &mut rng, &peer).await?,
            Job::Sign { key, digest } => {
                Done::Signed(match provider.signer.begin_sign(&key, &digest, work)? {
                    true => slices(work).await?,
                    false => provider.signer.sign(&key, &digest)?,
                })
            }
            Job::Verify { scheme, key, digest, signature } => {
                let verifier = provider.verifier(scheme).ok_or(CryptoError::Unsupported)?;
                match verifier.begin_verify(key.get(), &digest, &signature, work)? {
                    true => slices(work).await.map(drop)?,
                    false => verifier.verify(key.get(), &digest, &signature)?,
                }
                Done::Verified
            }
        })
    }
}

/// Runs a computation with a pause after each step.
async fn slices(computation: &mut Computation) -> Result<compact::Output, CryptoError> {
    loop {
        if let Some(result) = computation.step() {
            return result;
        }
        pause().await;
    }
}

/// Pending once.
async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if core::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Makes a share as a KeyShareEntry at the start of `out`, and adds its length
/// to `filled`.
async fn generate(
    work: &mut Computation,
    exchange: &dyn KeyExchange,
    rng: &mut Rng,
    out: &mut [u8],
    filled: &mut usize,
) -> Result<KxSecret, CryptoError> {
    let (head, out) = out.split_first_chunk_mut::<4>().ok_or(CryptoError::ShortBuffer)?;
    let (secret, len) = match exchange.begin_generate(rng, work)? {
        Some(secret) => {
            let share = slices(work).await?;
            out.get_mut(..share.len()).ok_or(CryptoError::ShortBuffer)?.copy_from_slice(&share);
            (secret, share.len())
        }
        None => exchange.generate(rng, out)?,
    };
    let NamedGroup(group) = exchange.group();
    let [a, b] = group.to_be_bytes();
    let [c, d] = u16::try_from(len).map_err(|_| CryptoError::ShortBuffer)?.to_be_bytes();
    *head = [a, b, c, d];
    *filled += 4 + len;
    Ok(secret)
}

async fn finish(
    work: &mut Computation,
    exchange: &dyn KeyExchange,
    secret: &KxSecret,
    peer: &[u8],
) -> Result<KxShared, CryptoError> {
    match exchange.begin_finish(secret, peer, work)? {
        true => KxShared::new(&slices(work).await?).ok_or(CryptoError::Invalid),
        false => exchange.finish(secret, peer),
    }
}

async fn respond(
    work: &mut Computation,
    exchange: &dyn KeyExchange,
    rng: &mut Rng,
    peer: &[u8],
) -> Result<Done, CryptoError> {
    if let Some(secret) = exchange.begin_generate(rng, work)? {
        let share = slices(work).await?;
        let share = Share::from_slice(&share).map_err(|_| CryptoError::ShortBuffer)?;
        pause().await;
        return Ok(Done::Responded { share, shared: finish(work, exchange, &secret, peer).await? });
    }
    let mut share = room();
    let (len, shared) = exchange.respond(rng, peer, &mut share)?;
    share.truncate(len);
    Ok(Done::Responded { share, shared })
}

#[cfg(all(test, feature = "rust-crypto"))]
mod tests {
    use super::*;
    use crate::crypto::rust_crypto::{CHIP, PROVIDER};
    use crate::crypto::{CryptoProvider, HashAlgorithm};
    use crate::dtls::operation::{PeerKey, Signature};
    use core::pin::pin;
    use core::task::{Context, Waker};
    use std::format;

    /// The outcome, and how often the future was pending.
    fn drive(operation: Operation) -> (Outcome, usize) {
        let mut future = pin!(operation.run_in_slices());
        let mut context = Context::from_waker(Waker::noop());
        for pauses in 0.. {
            if let Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
                return (outcome, pauses);
            }
        }
        unreachable!()
    }

    fn jobs(provider: &'static CryptoProvider) -> [Job; 6] {
        let mut rng = Rng::new([1; 32]);
        let mut peer = room();
        let exchange = provider.key_exchange(NamedGroup::X25519).unwrap();
        let (secret, len) = exchange.generate(&mut rng, &mut peer).unwrap();
        peer.truncate(len);
        let key = provider.signer.generate(&mut rng).unwrap();
        let digest = provider.hashes.hash(HashAlgorithm::Sha256, &[b"signed"]).unwrap();
        let hash = *digest.first_chunk().unwrap();
        let signature = provider.signer.sign(&key, &hash).unwrap();
        let public = provider.signer.public_key(&key).unwrap();
        let scheme = crate::crypto::SignatureScheme::ECDSA_SECP256R1_SHA256;
        let verify = |digest: &[u8]| Job::Verify {
            scheme,
            key: PeerKey::new(crate::crypto::PublicKey::P256(&public)).unwrap(),
            digest: crate::crypto::Digest::from_slice(digest).unwrap(),
            signature: Signature::from_slice(&signature).unwrap(),
        };
        let groups = [NamedGroup::X25519, NamedGroup::SECP256R1].into_iter().collect();
        [
            Job::Generate { groups, rng: Rng::new([2; 32]) },
            Job::Agree { group: NamedGroup::X25519, secret, peer: peer.clone() },
            Job::Respond { group: NamedGroup::X25519, peer, rng: Rng::new([3; 32]) },
            Job::Sign { key, digest: hash },
            verify(&digest),
            verify(&[0; 32]),
        ]
    }

    #[test]
    fn slices_come_to_what_one_run_comes_to() {
        for (provider, paused) in [(&CHIP, true), (&PROVIDER, false)] {
            for (sliced, whole) in jobs(provider).into_iter().zip(jobs(provider)) {
                let name = format!("{sliced:?}");
                let (outcome, pauses) = drive(Operation::new(provider, sliced));
                let expected = Operation::new(provider, whole).run();
                // Secrets do not print; what was made of them does.
                assert_eq!(format!("{outcome:?}"), format!("{expected:?}"), "{name}");
                if let (Ok(Done::Agreed { shared: a }), Ok(Done::Agreed { shared: b })) =
                    (&outcome.0, &expected.0)
                {
                    assert_eq!(a.as_slice(), b.as_slice());
                }
                assert_eq!(pauses > 5, paused, "{name} paused {pauses} times");
            }
        }
    }
}
