import ArgumentParser

@main
struct ParquetTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parquet-tool", abstract: "Rewrite and time Parquet files with Firn's Parquet module.")
}
