// Package primitive is what transit does with key material once it is unwrapped: keys are made, imported and exported, and they encrypt, sign, MAC and
// encapsulate. It has no state, stores nothing, asks no policy and knows no tenant; the engine above does.
//
// It promises:
//   - A ciphertext of an AEAD key opens under the same key, UID, place, version, associated data and context, and nowhere else. Why one does not
//     open is never said.
//   - No error and no formatter shows anything of a plaintext, a key or a ciphertext.
//   - No input makes it panic, and none makes it use much more memory than the input has.
//   - Comparisons of secrets take as long wherever they differ.
//
// What it returns that is secret (plaintexts, data keys, exported and marshaled keys) is the caller's to wipe; it clears its own copies. Key.Wipe says
// what Go gives no way to clear.
//
// What says (format) is stored by others and never changes.
package primitive
