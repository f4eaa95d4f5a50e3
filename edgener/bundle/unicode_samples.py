"""Texts of many scripts and with rare characters, on which two tokenizers that differ are likely to differ.

Characters that cannot be seen or that change the direction of a line are written as escapes.
"""

from __future__ import annotations

from collections.abc import Iterator

_SAMPLES: dict[str, tuple[str, ...]] = {
    "case": (
        "Anna Keller", "ANNA KELLER", "McDonald", "iPhone", "STRASSE", "Straße", "STRAẞE", "İstanbul",
        "ISPARTA ısı", "ΑΘΗΝΑ Αθήνας", "ΟΔΥΣΣΕΥΣ", "\u01c5ungla \u01c4", "ﬁne oﬃce", "MOSKVA Москва",
        "ÅNGSTRÖM ångström",
    ),
    "accents": (
        "café naïve Zürich", "cafe\u0301 nai\u0308ve Zu\u0308rich", "Łódź Gdańsk Dvořák", "Þórður Björk",
        "Nguyễn Văn Đạt", "Nguye\u0302\u0303n", "São Paulo ÃÕÇ", "Ž\u030c\u0323", "e\u0301\u0301\u0301",
        "\u0301alone", "Å \u212b A\u030a", "\u1e9b\u0323 \u017f", "ñ n\u0303 Ñ", "ø æ œ ß ð",
        "Québec l'été d'Angoulême", "Tiếng Việt", "Čeština",
    ),
    "scripts": (
        "Иван Петров живёт в Санкт-Петербурге.", "Київ, Україна: з'їзд", "Ελλάδα και Κύπρος", "Երևան, Հայաստան",
        "თბილისი, საქართველო", "नई दिल्ली में राम शर्मा", "কলকাতা বাংলা", "சென்னை தமிழ்", "హైదరాబాద్ తెలుగు",
        "ಬೆಂಗಳೂರು", "മലയാളം കൊച്ചി", "ਅੰਮ੍ਰਿਤਸਰ", "ગુજરાત", "ශ්\u200dරී ලංකාව", "กรุงเทพมหานคร ประเทศไทย", "ພາສາລາວ",
        "မြန်မာနိုင်ငံ", "ភ្នំពេញ កម្ពុជា", "བོད་ཡིག", "አዲስ አበባ", "ᏣᎳᎩ", "ᚠᚢᚦ", "Қазақстан Өзбекистон",
        "Монгол Улаанбаатар", "\U00010330\U00010331\U00010332", "𐤀𐤁𐤂", "ⵜⴰⵎⴰⵣⵉⵖⵜ", "ߒߞߏ", "Ꙃ ѣ ѳ",
    ),
    "Chinese, Japanese and Korean": (
        "张伟在北京的中国科学院工作。", "1963年，王小明於臺北出生。", "泵P-101漏水", "水泵 P-101 漏水",
        "東京都千代田区丸の内", "トヨタ自動車株式会社", "ｶﾀｶﾅ ﾃｽﾄ", "カ\u3099キ\u3099 ガギ",
        "ひらがな、カタカナ。", "々〆ヶ", "김철수는 서울에서 삼성전자에 다닌다.",
        "\u1112\u1161\u11ab\u1100\u1173\u11af", "한글 ㄱㄴㄷ", "\U00020000\U0002a6d6 𠮷野家", "\uf900 \ufa0e",
        "Ａｌａｒｍ　１２３", "《书名》“引号”", "葛\U000e0100城市", "葛\ufe00", "㍿ ㈱ ㎏ ㌔", "ㄅㄆㄇ",
        "〇一二三", "100％，￥500", "中\u200b文", "上海 Shanghai 上海",
    ),
    "right to left": (
        "محمد علي يسكن في القاهرة.", "مُحَمَّد", "الرياض 2024", "تهران، ایران ۱۲۳", "می\u200cخواهم",
        "اُردو زبان", "תל אביב, ישראל", "שָׁלוֹם", "דו\u05f4ח צה\u05f4ל", "\u202bעברית\u202c and English",
        "\u200fabc\u200e", "\u2067مرحبا\u2069", "ܐܪܡܝܐ", "ދިވެހި", "ﷺ ﷲ ﻻ", "السـلام",
    ),
    "emoji": (
        "🔧", "Pump 🔧 leaks", "👍🏽 ok", "👩\u200d🔧 works", "👨\u200d👩\u200d👧\u200d👦 family", "🇨🇭 🇺🇸",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "❤\ufe0f ❤ ❤\ufe0e",
        "1\ufe0f⃣ #\ufe0f⃣", "☎\ufe0f☎",
        "🤷\u200d♀\ufe0f", "😀😀😀", "a😀b", "\U0001faf7\U0001fae8", "™ © ®\ufe0f",
    ),
    "invisible": (
        "zero\u200bwidth", "zero\u200cnon\u200djoiner", "word\u2060joiner", "\ufeffbom", "in\ufeffside",
        "soft\u00adhyphen", "\u200b", "\u200b\u200b x", "\u034fgrapheme", "\u061c\u200e\u200f",
        "\u2028line\u2029paragraph", "\u180evowel", "\u115f\u1160\u3164", "\U000e0001\U000e0041",
        "\u2061\u2062\u2063", "tag\U000e007f", "a\ufe0fb", "\ufff9anchor\ufffb",
    ),
    "white space": (
        "", " ", "  ", "\t", "\n", "\r\n", " leading", "trailing ", "two  spaces", "three   spaces   here",
        "tab\ttab", "line\nbreak", "line\r\nbreak", "\u00a0no\u00a0break", "thin\u2009space\u202fnarrow",
        "\u3000ideographic\u3000", "em\u2003quad\u2001", "next\u0085line", "form\ffeed", "vertical\vtab",
        "ogham\u1680space", "math\u205fspace", "unit\x1fseparator",
    ),
    "control": (
        "nul\x00nul", "bell\x07", "escape\x1b[0m", "delete\x7f", "c1\x80\x9f", "\x01\x02\x03", "back\bspace",
        "\ufffd", "replace\ufffdment", "\ufffe\uffff", "\ue000 private", "\U000f0000", "\U0010ffff",
        "\ud800 lone", "lone \udfff", "\ud83d\ude00", "\u0378 unassigned", "\x1a", "shift\x0e\x0fout",
    ),
    "digits": (
        "1234567890", "1,234.56", "1.234,56", "3.14e-10", "2024-01-31T12:00:00Z", "12:30", "+41 44 123 45 67",
        "#1", "50%", "٠١٢٣٤٥", "०१२३", "１２３", "Ⅳ ⅷ", "½ ¾ ⅓", "x² H₂O", "①②③", "𝟏𝟐𝟑", "1st 2nd", "0x1F",
        "10⁻³", "٪ ٫", "1\u00a0000\u202f000", "P-101A/B", "v1.2.3-rc1",
    ),
    "punctuation": (
        "don't", "don’t", "rock'n'roll", "“quoted” ‘single’", "„German“ «French»", "em—dash en–dash",
        "hyphen-ated non\u2011breaking", "...", "…", "wait...what?!", "(a)[b]{c}<d>", "a/b\\c|d", "C++ C# .NET",
        "$5 €5 £5 ¥5 ₹5 ₿", "a&b a_b a~b `code`", "!!!", "¿Qué? ¡Sí!", "§ ¶ † ‡ •", "x→y ⇒ ∀∃ ∑ √ ≠", "· ・ ‧",
        "´ ` ¨ ^", "'", '"', "-", "|", "° ′ ″ µ Ω \u2126", "<s> </s> <pad> <unk>",
        "[CLS] [SEP] [PAD] [UNK] [MASK]", "<mask>", "##ing", "▁word ▁", "Ġword", "Ċ", "@user #tag", "<0x41>",
        "[unused1]", "[cls] [sep]", "<|endoftext|>",
    ),
    "web and code": (
        "https://example.org/a?b=c&d=%20#e", "www.example.co.uk", "anna.keller@example.org",
        "C:\\Users\\anna\\file.txt", "/usr/local/bin/x.sh", "192.168.0.1", "fe80::1%eth0", "x = {'a': [1, 2]}",
        "camelCaseWord", "snake_case_word", "<b>bold</b> &amp; &nbsp;", "SGVsbG8gV29ybGQ=",
        "550e8400-e29b-41d4-a716-446655440000", "a\\nb\\u00e9", "10.1000/xyz123", "user:pass@host:8080",
    ),
    "long": (
        "x" * 120, "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", "ab" * 60,
        "é" * 60, "泵" * 60, "e\u0301" * 40, "😀" * 30, "1" * 110, "-" * 90, "." * 60,
        "supercalifragilisticexpialidocious " * 3, "Aa" * 51, "กขค" * 40, "\u200b" * 40, "a " * 60,
    ),
    "mathematical letters and compatibility forms": (
        "𝐀𝐧𝐧𝐚 𝓚𝓮𝓵𝓵𝓮𝓻", "ℌ𝔢𝔩𝔩𝔬", "Ⓐⓑ", "ᴀʙᴄ", "ﬀ ﬃ ﬆ", "ĳ Ĳ ŀ", "ʼn ŉ", "Ǆ ǆ", "㎡ ℃ ℉", "№ ℡ ℓ", "Ω Ω K K",
        "ſ ẛ", "ª º", "…‥", "ﹸ ﹹ", "︵︶", "꜀꜁", "ʰʲʷ", "ₐₑ", "Ꭰꭰ",
    ),
    "sentences": (
        "Yesterday Nord Pumps sent Anna Keller to New York.", "U.S. President J. F. Kennedy's visit, 1963.",
        "EU rejects German call to boycott British lamb .", "Der Vorstand der Müller & Söhne GmbH tagt in Köln.",
        "L'Oréal s'installe à Aix-en-Provence.", "El señor Muñoz vive en A Coruña.",
        "Pan Wójcik pojechał do Łodzi.", "Zápotocký pracuje v Škodě Plzeň.", "Çağrı Yılmaz Iğdır'da çalışıyor.",
        "Il Dott. Rossi è all'ACI di Forlì.", "Anna,Boris;Clara:David",
        "Pump P-101A tripped @ 03:15 (see WO#4711).", "well-known state-of-the-art", "e.g. i.e. etc.",
    ),
}  # fmt: skip
_FRAMES = ("{}", "Anna {} Basel.")


SAMPLES = tuple(sample for samples in _SAMPLES.values() for sample in samples)
"""Every sample alone."""


def unicode_samples() -> Iterator[str]:
    """Every sample alone and between two words."""
    for samples in _SAMPLES.values():
        for frame in _FRAMES:
            yield from map(frame.format, samples)
