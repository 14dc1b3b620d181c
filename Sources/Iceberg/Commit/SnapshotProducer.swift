/// Prepares commits: reads what it must of the state that it builds on, and returns the files to write, the updates and
/// what they require, and the new metadata.
///
/// Nothing is written here, so a commit can be prepared again on a newer base when it loses the race for the pointer.
/// Each action stands in a file of its own in the folder Transaction. Those that make a snapshot take the branch that
/// it becomes the head of; a branch that does not exist yet starts at the head of `main`.
///
/// All functions throw `.unsupported` (`format_version`, `encryption`) for tables that Firn only reads, and the store's
/// errors.
public enum SnapshotProducer {}
