/// The version of Firn, as snapshots, data files and `--version` carry it.
public enum FirnVersion {
    public static let current = "0.1.0"
}
