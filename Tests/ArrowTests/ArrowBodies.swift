import Base
import Glibc
import Testing

/// Streams and files that PyArrow 26.0.1 wrote, gzipped, in base64.
enum ArrowBodies {
    /// Three rows of every type, then the last two of them again, sliced.
    static let everyType = unpack(
        """
        H4sIAAAAAAACA+1ZMWwbVRh+dz47bnDhEAGMiCojRSKgSoQ2Kh5KiSCgDEHKUKoMDE5qp47qpiFxigMRNVKFMhQpQ4aAMnhgCAwoQ4awWaKD\
        h4AyoQwZMjB4tFAlkjTJ8b+79+x3n+/OTtVO9KJfvv++7/3//97/7r17fyzLsspnGDMZvzpZjEVYmEXpji7NYAb99J5YFv99kyRH3B6SWpSx\
        MskySZokSRIl2e1gbIOkSHKV5DyJQbIboeck90nSJEkScsXKYbJBkiMZJImT7JCzZZI0yWWSGMlOiLEFkl6Sis5YgiSlMdZFskumeHwD/1oW\
        BR3rovu4eEaw3bcQj302z/qJk3V4ZzknIXhkjmVJuoQ+mc/c4kOQJu5KgF3+O05ynzhlhxc2FR4DexvEqTo83VT8MWFrjKR7n+NMG+C4fa9p\
        yOX9mZrLMYNwk7xFaTA7KHsmsZxcamHOTyp9lLGkJ6/n+X2U/viTqHi+LPxy/ud0v+T4ftGv37xD94hTsux2TeM5KmKm9LPMVH5mMjPLNohf\
        3W/0Xx0nSj27M5aby3A7B40x4H2K2nZitmYKuteY3MzMszi1HT5o5LhbiSkl4uf3NB3YIPEKguvXz3k+d4hTOmjkF/P2FckS4Q8O/HNbINlX\
        +lVzuCb67RLxTeQYu3ZoWfy++9B7zNS5dfWwYXvY4b/s1SduL0e2B4iTP2w9Z7PEWT0MfgdyvP/EedBGnEeHjXn20OGf8eLnL/VP8fu4Pb9C\
        jPer51GDj7knPhu0ubrNHQniXrzABgjPPwrwf/HCLL9/+9iOl5UcbqenvalZVhZx8udnST6em7k9nXnnw8xMbpJ3ZE9p343t52ZpjvPV13kr\
        eR8MgX129SPWfRTg+9Ys+9OOUWODPjye8zz1pp/wrMOJetlK0xiOEn7fh8NznSa5cuKMyYbD6zBhnbFt0RjzPcW015iYvaeERCycW1Pa4nik\
        M9ftNoYYjw7Rrsfp5wte/ZugF+w7wnn7YYf3qhdv/A7tK4RPO5yXvDg5WtRThC87HMNrrMYpq/cI33Q4cS87s+RrjfBdh9Pl6YvyssXxE//1\
        hU/EGnF6HE7IK54Jyt1fYv4PKzwc2wk7LxF7z4gIDwtBdt+9xHKEl0681zbOmSPfOvnm710lgDdJvKOTxjr1MMgmxXmNbPK50m0F2CTeiNVY\
        U4YCuHPUl18svmcyNh1kk3g/CZscX1W43ZC/Ob7J2uNp2OPJ5+tWAH8yyey5HaVZHRUpjtb3uQjsc1oE1yb5zWEwo/6M3Flroh/8itGd8yUX\
        s60x3WBy7Xb2/s763i+//eLifePIsLJXMGVc/K6Y+DWVfjIlXt2jjfq8MN/oR7ZT7ccr7n6EDHs818LSyvOkm6InMdIYq1ISzivffUyJSVN8\
        y+smxMREDlXdBD0OY5IAvBfwPsCT4jcifgcAHwJ8BPBRGPcs4NOAFwFfhH6UAF8DvAx4BeLbBnwH/FcBr4H9qAbjrbnHPaG551Uv8Ps0dx5G\
        gD8K/JTmzsuS0F8X+jrwNyGeCtjfBv4OxLMPfHlTn2+6O56k0M/J+IGfEvoZmW/AC2BvDfB13Z2fMuAVwHcA39Pd+dsHXE58icdDbjwBeBLw\
        AcBHAU8BXgC8GHLHvwT4CuBrgK+D/Qrg24BXAa+F3PNFLtT1fBtu/3HAE4Z7/gwY7rVT6tL+iOFeb0bBXgr0rOGeHyuAl0BfM2A9ALwC8VUg\
        vh3g74FeBf4+2PPT5fhFw+73ywzDeh122+8FvC/stjcA+BC0HwU8BXo27B6vIuCLYG8l7O6f1OU+VAo371v9Sr412G+e6c90r282xCPwvfak\
        7eN3n5/eyn7oCY2HBv7D8LyhF0G3mvlFt86/+MPNfopefiznbOHFV6+iH26Jq75sXCFZaNj7Y2vrfbFS31X9/PgDv377QDZbnWOLl/9+75sw\
        5ETK7z+7xwXzhr/IV214Xfx7ayyRuy11fj91IzGbn5mkn/HM/O2pdCL/ZSZ3J9MUhxqnHKB240S+HpAE+R1WoEvqhcCrYXds/LpdzZiA+fU1\
        C76+nbxhqRe2e+3IPX8++dT5fWPV/Zz1vvXP92q/drVfj48b9jSf9/dx8WOItwoLxOZz3u397J42nlb+ZBsprfwxn/Uj5HGODdXz3Wh/scV6\
        iP0wwH8oeH1oikPKFx79cL0vcP4eG29vnWQ+66XqP9RG3lhAew1q5qepCzS+k4PrAvpTrgvoLeoCeou6gNGiLmC0qAvIOFOAZwGfBrwA/VoE\
        fAlwv7qBjG8d8E3w71dXMKGOUD83QF2hBvOpBvx9yIsJE9GEc3sczu1JqAv41RFkPNNgfxr4Bc0dzxLwl4C/AvHIOsQ5qDPUx0dzf9dVAa+B\
        PRPO7XHdnZ8E4L2A9wEu6xYyf0OAjwCeAjwLeAHwIuBLgK8A7lf3kPFvAl4GvAL4NtjfA7wKuF9dpF4vhf3KT9egjiLnTx/w+8C+rKPI9WYI\
        7I2ALussiRZ1lfo5FuocK4CXIL4SxLcO+Dq03wR+Bfh+er1uBXi7ev19Crnng1+dJ9aizlPfL6DOkQC8F+oaSah7SD3qUxeSdQHd57vjmf7/\
        0FmLc3arc7jhc246bTyszfhaXX729ac8Xk16EXSriV906855DOwVdTjL+5wLirrPuV95vtBsv3wX28lzvt5mf9vFT3t+f9L+T3suV+zYh3K9\
        zfO3yuNnb1XnZ+4mO+Kcrfuc19p9fuzhXz3X4v9ng/QgP1722hl/v//zimNwXY+1ee5t9V5qjzF/NK/6D/P+v3Srdaxdf7K+9x/wzKzOYCkA\
        AA==
        """)

    /// Four columns of the same, compressed.
    static let lz4 = unpack(
        """
        H4sIAAAAAAACA71VP0vDUBC/95K0QTNkEIlQsLaDLm4iHTO6CI4dCypY0MkOugXxQzg4OCr4ATo4CH6Jjn6MbvEuudTLkaRWwVeOe3fv97t/\
        Pdo0TdOhAQiBzhoE0AIPfLzhMS64qF4RQ5pkjvKGMkLZAOJFiG5BG5khevI4xqO3AUqXecD6bHw6obuPH/L47I8xBxEJf4/3JLNNQHEixhjI\
        6yR9yXU95zgbClyRazw5v6L7o4g9y/GexlPM68zOe6Zeir7I4r6yPB3BcyjP4QFiA5R21g8BY37HdOmUZ0UnwKz5hIMsMlg3q+MIvo+cTZhx\
        OqjdBWfINVBMK3hF7Q7Unz7rPdZb4s2oeHm9HLt3HI3iOzSTSqgt49BMbm7FO83hwjTMwXGznkZG5i73PRN9OxV9rwtfpHSPdaz8Q9a7rBM1\
        lyeFnyr8p3qfqzl3Tfl9YMrvdDzRjxF79RfblL8PNBNP1sF+Gtm+QfSJbL6BH5b9IZOskLp9+HiBX8d3hDTyK/ZVj2hVvqastM9z+Nk+2xX3\
        eWfJPvfVPoOyC/yDwr8rfJ1d8Gest9U+WzW0ZbY+dvk+24p9ob+tzYp1ruU3fN8A/8D3y35f/L4u9oz0FxmE/OaoBwAA
        """)

    /// As `lz4`.
    static let zstd = unpack(
        """
        H4sIAAAAAAACA7VVvUoDQRCe3bskp15x/hRR/DnBws5GJGV8gIClpaIWAYWAKWIXwcLSB/ABItjaWQR8AUvLlD6CjZwzu3PJ3J7JRSQThtmd\
        +eZ350iSJMmxAoiAaB5CKEMJAjwhKR98FM+IIUn8hfyKfIK8AuRXRXQZKugZocbGUSWy1ZBj9gOW582zNp0D/JEmYH0dc5Aj4e/w3DV3FVKc\
        KmMU2DpJXnJdPYvTkcCluZrtiys6P4rYHxZfcvEU89rcbc/US9oX3bgvk2dd+HmU52AfsSFyxfRDwDrbMV3S51kRhZjVTjg0kUH7po4ajEjO\
        JjI+myj9oQ/Nfofr1yCpbGoocw0ejKcNljHLZWFTubhga0Xafdn7jsPTHFBLu14E6NwM+2+pCf17vplnXclc2X4Hol9vQr8LwrLEsspyjWXN\
        sR+x3GbZcebx4OB7Dv7dsX868w1U1h6rrJ2oJPpSYq/+c1fyPdScTSLmYfTVBioUdBVs9fVkv0jqo9vRo+vssuT24O3p73E9wQX95PbSGcjU\
        fk6iafd2ANPtrZ7R3qZ71HK+15aDv3fwPQc/7p7691muOnurnfcpuruki/ZW/7YnDTMg3NvK2L3VBe8Ms/ELpD44zDWf2P8i+AFh2daNeAcA\
        AA==
        """)

    /// The same columns as a file.
    static let file = unpack(
        """
        H4sIAAAAAAACA+1UsU4DMQx17pL2VDLcgNANDB0ZQUKo43XrgITUhY4nFSQqFQmJDmXrwNBPYOADisTAB7Cx8gF8ChvYidPLWe3SuT5ZieNn\
        J8++pD8cXl2fAfyhjBRADiQdsNACAxnOUJQGjcM7Ymgk/UX9RK1QD4HiCkS3oI2ROa74PMqQr4fa5Tjg8WYyntE8w49WMl4vcQ8KJPwzzhfO\
        VpbyFIxR4M9J45TPtfK4JI9wYa/J7Pae5q9R7h+PNxJPOR+d7TkTl8CLLObl9jmO4lLa5+IcsRa17fgQsGQ/1XfFtSKxOPMVti4zJBoCR1+X\
        zrouoScFIjV7Lnk9gVpS2C6Wx5zHOE4Je9P6/KnmQf9JzeOoySPVjsNynaV57m8+Q3zWA7Gn5+8l1KMr/CeCT0/wKgV+IPAj4a9EnR6Efy78\
        JCbioUQPdrWNsIUsTGQkkX69NeND7qBmy75mQ89Dn0O9/L+auZtt+VYNuAfhPp5y4StOsBQ573j9Q/R1/6bs9qa8YNK+e7v/AV9WJ6DCBQAA
        """)

    /// A dictionary that grows, then is replaced.
    static let deltas = unpack(
        """
        H4sIAAAAAAACA9VSyw3CMAy1k7SNUIRyqFAPjMKBAViCzxIwAUfG4MgA7BYcJ/QTtSncwJXjxn52ni0759wNACx4WYCBEgrQ9EeCChSZJ2G8\
        RdKasQ0hSqgIbckTcrHwsS3pmlRBEJ9zItX0ea8/Dd8NacV3DwtR1ebRk+4e3wPOqSMzw/kgFMeaGA+MQ/13Lw0hVYzsol9AJxKmxURro+3n\
        YXIf8+8PXR/XQR+rYR9ScQ+6rTLkvRnhLTK8Z3lix+uR4yUCL9vjtWSeVdgNqpSbM344Z51YTKjixJyP8N187cx8ZWaGfX4yickEVyQ1/n2P\
        L+ff32NvX69bYcTIBAAA
        """)

    /// Values where the row is null.
    static let beneathNulls = unpack(
        """
        H4sIAAAAAAACA31SMU4DQQz05vZyR7RIV0ToCoo8gIKSkoIHpKC4goIoQiISiAKKhIqH5AEpeABPSZFn0C9jr09sLF0seb1jj2d3fRdjjJ0j\
        aohtQoHGVFKNHcx5YAKqsXpdk//Cf+APiq+gg4bzKfat5iAruhzf4B0494k34vxUeaScBfxO6uT4rK/EDUOaL/BvcHaZZptpclx9PL3yfpvp\
        7hO/tHzWfBfsJdfghjXmUckUGp1ROufS9K1kTgFeyZw4PcOCo+LapbeyBbrQCQdRpcLLHZ6ptwlwkGnzNzjoewv6t5Dtncba1FpTn2lsNF5n\
        M2K7Mfxbw5/Tsc1Nf2f6Hw2/x/k7xhl2pj6EvdEd4vdWaqzgS/iZyfe9hWqvN5vPU3U3KnxeB5YY0/9FfzGxMTVQAwAA
        """)

    private static func unpack(_ base64: String) -> [UInt8] {
        var bits = 0
        var word = 0
        var bytes: [UInt8] = []
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        for character in base64.utf8 {
            guard let digit = digits.firstIndex(of: character) else { continue }
            word = word << 6 | digit
            bits += 6
            guard bits >= 8 else { continue }
            bits -= 8
            bytes.append(UInt8(word >> bits & 255))
        }
        do { return try Deflate.decompress(bytes, wrapping: .gzip, limit: 1 << 20) } catch { fatalError("\(error)") }
    }
}
