//! Tokens in a form that sqlparser reads as PostgreSQL does.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

/// Strings with a new line between them are one, as in SQL.
pub fn continued_strings(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut joined: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in tokens {
        if let Token::SingleQuotedString(more) = &token.token {
            let space = joined.iter().rev().take_while(|t| matches!(t.token, Token::Whitespace(_)));
            let breaks = space.clone().any(|t| t.token == Token::Whitespace(Whitespace::Newline));
            let before = joined.len() - space.count();
            if let Some(TokenWithSpan { token: Token::SingleQuotedString(text), span }) =
                joined[..before].last_mut().filter(|_| breaks)
            {
                text.push_str(more);
                span.end = token.span.end;
                joined.truncate(before);
                continue;
            }
        }
        joined.push(token);
    }
    joined
}

/// `->-1` is `-> -1`: an operator ends with a sign only if it has a character that those of arithmetic have not.
pub fn split_sign(token: TokenWithSpan) -> Vec<TokenWithSpan> {
    let operator = match &token.token {
        Token::CustomBinaryOperator(operator) => operator.as_str(),
        _ => return vec![token],
    };
    let parts = match operator {
        "->-" => [Token::Arrow, Token::Minus],
        "->>-" => [Token::LongArrow, Token::Minus],
        _ => return vec![token],
    };
    parts.into_iter().map(|part| TokenWithSpan::new(part, token.span)).collect()
}

/// Brings the options of sequences into the order in which sqlparser reads them; PostgreSQL takes any.
pub fn order_sequence_options(tokens: &mut [TokenWithSpan]) {
    let word = |token: &TokenWithSpan| match &token.token {
        Token::Word(w) if w.quote_style.is_none() => w.value.to_uppercase(),
        _ => String::new(),
    };
    let begins = |i: usize| word(&tokens[i]);
    let mut parts = Vec::new();
    if tokens.len() > 3 && begins(0) == "CREATE" && (1..3).any(|i| begins(i) == "SEQUENCE") {
        let first =
            (3..tokens.len()).find(|i| option_rank(&begins(*i), &begins((*i + 1).min(tokens.len() - 1))).is_some());
        parts.extend(first.map(|first| (first, tokens.len())));
    }
    for i in 2..tokens.len() {
        if tokens[i].token == Token::LParen && begins(i - 1) == "IDENTITY" {
            let end = (i..tokens.len()).find(|j| tokens[*j].token == Token::RParen);
            parts.extend(end.map(|end| (i + 1, end)));
        }
    }
    for (start, end) in parts {
        let mut options: Vec<(u8, Vec<TokenWithSpan>)> = Vec::new();
        let mut after_no = false;
        for i in start..end {
            let next = if i + 1 < end { word(&tokens[i + 1]) } else { String::new() };
            match option_rank(&word(&tokens[i]), &next) {
                Some(rank) if !after_no => options.push((rank, vec![tokens[i].clone()])),
                _ => match options.last_mut() {
                    Some((_, option)) => option.push(tokens[i].clone()),
                    None => return,
                },
            }
            after_no = word(&tokens[i]) == "NO";
        }
        options.sort_by_key(|(rank, _)| *rank);
        let ordered: Vec<TokenWithSpan> = options.into_iter().flat_map(|(_, option)| option).collect();
        tokens[start..end].clone_from_slice(&ordered);
    }
}

/// `FETCH FIRST (…) ROWS ONLY`, with an expression in parentheses, as the `LIMIT (…)` that it is.
pub fn limit_by_fetch(tokens: &mut Vec<TokenWithSpan>) {
    let is = |tokens: &[TokenWithSpan], i: usize, words: &[&str]| {
        matches!(tokens.get(i), Some(TokenWithSpan { token: Token::Word(w), .. })
            if w.quote_style.is_none() && words.iter().any(|word| w.value.eq_ignore_ascii_case(word)))
    };
    let mut at = 1;
    while at + 2 < tokens.len() {
        at += 1;
        if !is(tokens, at - 1, &["FETCH"])
            || !is(tokens, at, &["FIRST", "NEXT"])
            || tokens[at + 1].token != Token::LParen
        {
            continue;
        }
        let mut depth = 0;
        let end = (at + 1..tokens.len()).find(|i| {
            match tokens[*i].token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        let Some(end) = end else { return };
        if is(tokens, end + 1, &["ROW", "ROWS"]) && is(tokens, end + 2, &["ONLY"]) {
            tokens.drain(end + 1..end + 3);
            tokens.remove(at);
            tokens[at - 1].token = Token::make_keyword("LIMIT");
        }
    }
}

/// `interval(2) '…'`, which sqlparser does not read, as `'…'::interval(2)`.
pub fn cast_to_digits(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at + 4 < tokens.len() {
        if let [word, open, digits, close, text] = &tokens[at..at + 5]
            && matches!(&word.token, Token::Word(w) if w.keyword == Keyword::INTERVAL)
            && matches!(
                (&open.token, &digits.token, &close.token, &text.token),
                (Token::LParen, Token::Number(..), Token::RParen, Token::SingleQuotedString(_))
            )
        {
            let cast = TokenWithSpan::new(Token::DoubleColon, text.span);
            tokens[at..at + 5].rotate_right(1);
            tokens.insert(at + 1, cast);
        }
        at += 1;
    }
}

/// Where an option of a sequence that begins with these words has to stand; `None` when none does.
pub fn option_rank(word: &str, next: &str) -> Option<u8> {
    let of = |word: &str| {
        Some(match word {
            "AS" => 0,
            "INCREMENT" => 1,
            "MINVALUE" => 2,
            "MAXVALUE" => 3,
            "START" => 4,
            "CACHE" => 5,
            "CYCLE" => 6,
            "OWNED" => 7,
            _ => return None,
        })
    };
    if word == "NO" { of(next) } else { of(word) }
}
