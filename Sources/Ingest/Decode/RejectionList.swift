/// Collects why records of one body were refused, and the records themselves where they are asked for.
struct RejectionList {
    private(set) var rejections: [Rejection] = []
    private(set) var count = 0
    private(set) var rejected: [RejectedRecord] = []
    private let reportedMax: Int
    private let keepsRecords: Bool

    init(_ options: DecoderOptions) {
        reportedMax = options.rejectionsReportedMax
        keepsRecords = options.keepsRejected
    }

    /// Counts one more rejection. Reason and payload are only made when somebody will read them; returns false when
    /// the payload does not fit `budget`, which it is taken from.
    mutating func add(
        budget: inout Int, payload: () -> [UInt8], because reason: () -> Rejection
    ) -> Bool {
        count += 1
        guard keepsRecords || rejections.count < reportedMax else { return true }
        let rejection = reason()
        if rejections.count < reportedMax { rejections.append(rejection) }
        guard keepsRecords else { return true }
        let record = RejectedRecord(rejection: rejection, payload: payload())
        budget -= record.payload.count + RejectedRecord.bytesBeside
        guard budget >= 0 else { return false }
        rejected.append(record)
        return true
    }
}
