import Base

extension CronExpression {
    /// The first time after `ms` (milliseconds since 1970) at which the expression matches the clock of a zone.
    ///
    /// Days on which the clock jumps are treated as cron(8) of Debian treats them:
    /// - An expression that names hours runs once for each local time that it matches. One that the clock skips runs at
    ///   the moment of the jump, several such as one; one that comes twice runs the first time only.
    /// - An expression whose hour field begins with `*` matches what the clock shows: nothing is made up for a skipped
    ///   hour, and a repeated hour has all its runs twice.
    public func next(after ms: Int64, in zone: TimeZoneRules) -> Int64 {
        if zone == .utc { return next(after: ms) }
        return hasAnyHour ? nextShown(after: ms, zone) : nextNamed(after: ms, zone)
    }

    private func nextShown(after ms: Int64, _ zone: TimeZoneRules) -> Int64 {
        var start = ms + 1
        var offset = zone.offset(at: CivilTime.floorDivide(start, 1000).quotient) * 1000
        while true {
            let found = next(after: start + offset - 1) - offset
            let first = CivilTime.floorDivide(start, 1000).quotient + 1
            let last = CivilTime.floorDivide(found, 1000).quotient
            guard first <= last, let change = zone.changes(in: first...last).first else { return found }
            start = change.at * 1000
            offset = change.after * 1000
        }
    }

    private func nextNamed(after ms: Int64, _ zone: TimeZoneRules) -> Int64 {
        var local = ms + zone.offset(at: CivilTime.floorDivide(ms, 1000).quotient) * 1000
        while true {
            local = next(after: local)
            let moment = zone.moment(ofLocal: local / 1000) * 1000
            if moment > ms { return moment }
        }
    }
}
