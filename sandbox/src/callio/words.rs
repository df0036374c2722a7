//! Names and field values in Vietnamese, as they come from real accounts: accents, spaces and all.

pub(crate) const FAMILIES: [&str; 10] = ["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Võ", "Đặng", "Bùi"];
pub(crate) const MIDDLES: [&str; 6] = ["Thị", "Văn", "Hữu", "Đức", "Ngọc", "Minh"];
pub(crate) const NAMES: [&str; 12] =
    ["Lan", "Hương", "Tuấn", "Dũng", "Thảo", "Phượng", "Quân", "Vy", "Khánh", "Yến", "Sơn", "Ánh"];
pub(crate) const GROUPS: [&str; 6] =
    ["Kinh doanh", "Chăm sóc khách hàng", "Kỹ thuật", "Đào tạo", "Nhóm miền Bắc", "Nhóm miền Nam"];
pub(crate) const STATES: [&str; 5] = ["Mới", "Đang tư vấn", "Hẹn gọi lại", "Đã chốt", "Không quan tâm"];
pub(crate) const HEAT: [&str; 4] = ["Hot", "Nóng", "Ấm", "Lạnh"];
pub(crate) const NEEDS: [&str; 4] =
    ["Cắt mí", "Nâng mũi – sửa lại", "Trẻ hóa da; tư vấn \"miễn phí\"", "Niềng răng\ntrả góp"];
pub(crate) const HANGUPS: [&str; 4] = ["NORMAL_CLEARING", "ORIGINATOR_CANCEL", "NO_ANSWER", "USER_BUSY"];
