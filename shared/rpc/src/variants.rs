//! Enums whose variants are messages of a `oneof`.

/// Writes `encode` and `decode` for an enum and the oneof that carries it: a variant, its fields or its one
/// value, and the message, whose fields are called the same.
macro_rules! variants {
    ($type:ident => $oneof:ident {
        $($variant:ident $({ $($field:ident),* })? $(( $($value:ident),* ))? => $message:ident),* $(,)?
    }) => {
        fn encode(value: $type) -> $oneof {
            match value {
                $($type::$variant $({ $($field),* })? $(( $($value),* ))? => {
                    $oneof::$variant(proto::$message {
                        $($($field: $field.to_wire(),)*)?
                        $($($value: $value.to_wire(),)*)?
                    })
                })*
            }
        }

        fn decode(message: $oneof) -> Result<$type, WireError> {
            Ok(match message {
                $($oneof::$variant(proto::$message { $($($field,)*)? $($($value,)*)? }) => {
                    $type::$variant
                    $({ $($field: Field::from_wire($field, stringify!($field))?),* })?
                    $(( $(Field::from_wire($value, stringify!($value))?),* ))?
                })*
            })
        }
    };
}
pub(super) use variants;
