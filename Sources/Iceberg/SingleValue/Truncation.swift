import Base
import Columnar

/// Shortened bounds: a lower bound is cut, an upper bound is cut and then raised, so that neither ever excludes a
/// value.
///
/// Text counts code points, binary counts bytes. Spec: https://iceberg.apache.org/spec/#manifests (lower_bounds)
public enum Truncation {
    /// `value` itself when it is not longer than `width` or of another type.
    public static func lower(_ value: Value, width: Int) -> Value {
        switch value {
        case .string(let text): .string(prefix(text, width))
        case .binary(let bytes): .binary(Array(bytes.prefix(width)))
        default: value
        }
    }

    /// Nil when no value of that length lies above.
    public static func upper(_ value: Value, width: Int) -> Value? {
        switch value {
        case .string(let text):
            let scalars = text.unicodeScalars
            guard scalars.count > width else { return value }
            return increment(Array(scalars.prefix(width))).map { .string($0) }
        case .binary(let bytes):
            guard bytes.count > width else { return value }
            var cut = Array(bytes.prefix(width))
            while let last = cut.popLast() {
                if last < 0xff { return .binary(cut + [last + 1]) }
            }
            return nil
        default: return value
        }
    }

    /// The first `width` code points.
    public static func prefix(_ text: String, _ width: Int) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(width)))
    }

    private static func increment(_ scalars: [UnicodeScalar]) -> String? {
        var cut = scalars
        while let last = cut.popLast() {
            // The surrogate range holds no code points of its own.
            let next = last.value == 0xd7ff ? 0xe000 : last.value + 1
            if let raised = UnicodeScalar(next) {
                return String(String.UnicodeScalarView(cut + [raised]))
            }
        }
        return nil
    }
}
