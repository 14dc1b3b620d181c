/// Names as Avro allows them: letters, digits, underscores, not starting with a digit.
public enum AvroNames {
    public static func sanitize(_ name: String) -> String {
        var output = ""
        for (index, scalar) in name.unicodeScalars.enumerated() {
            let isDigit = scalar.value >= 0x30 && scalar.value <= 0x39
            let isLetter = scalar.isASCII && scalar.properties.isAlphabetic || scalar == "_"
            if isLetter || isDigit && index > 0 {
                output.unicodeScalars.append(scalar)
            } else if isDigit {
                output += "_" + String(scalar)
            } else {
                output += "_x" + String(scalar.value, radix: 16, uppercase: true)
            }
        }
        return output
    }

    /// What two names of one struct must not share. Names that differ only by case, or only by what their Avro form
    /// hides, cannot be told apart by every reader.
    public static func clashKeys(_ name: String) -> Set<String> {
        [name.lowercased(), sanitize(name).lowercased()]
    }
}
